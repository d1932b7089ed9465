#include "gateway/login/cookie_sealer.h"

#include <gtest/gtest.h>

#include "codec/base64.h"
#include "crypto/random.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

class CookieSealing : public testing::Test {
 protected:
  std::string opened(const CookieSealer& sealer, std::string_view purpose, std::string_view value,
                     Duration age_max = 24h) {
    const auto plain = sealer.open(purpose, value, clock_.wall(), age_max);
    return plain ? std::string(plain->expose()) : "refused";
  }
  FakeClock clock_;
  const SecretBytes key_ = crypto::random_secret(32);
  const CookieSealer sealer_{{{1, key_}}, 1};
};

TEST_F(CookieSealing, OpensForItsPurposeOnEveryGatewayOfTheDeployment) {
  const std::string value = sealer_.seal("session", "alice", clock_.wall());
  EXPECT_EQ(opened(sealer_, "session", value), "alice");
  EXPECT_EQ(opened(CookieSealer({{1, key_}}, 1), "session", value), "alice");
  EXPECT_EQ(opened(sealer_, "login", value), "refused");
  EXPECT_EQ(opened(CookieSealer({{1, crypto::random_secret(32)}}, 1), "session", value), "refused");
  EXPECT_NE(value, sealer_.seal("session", "alice", clock_.wall()));
  EXPECT_EQ(opened(sealer_, "session", sealer_.seal("session", "", clock_.wall())), "");
}

TEST_F(CookieSealing, NoChangedByteOpens) {
  const std::string bytes = *codec::base64url_decode(sealer_.seal("session", "alice", clock_.wall()));
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const int bit : {0, 7}) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_EQ(opened(sealer_, "session", codec::base64url_encode(changed)), "refused") << i;
    }
    EXPECT_EQ(opened(sealer_, "session", codec::base64url_encode(bytes.substr(0, i))), "refused") << i;
  }
  for (const char* bad : {"", "=", "AAAA", "not base64url!", "\xff"})
    EXPECT_EQ(opened(sealer_, "session", bad), "refused");
}

TEST_F(CookieSealing, HoldsOverMidnightAndEndsWithItsAge) {
  const std::string value = sealer_.seal("session", "alice", clock_.wall());
  clock_.advance(20h);
  EXPECT_EQ(opened(sealer_, "session", value), "alice");
  clock_.advance(9 * 24h);  // another day has its place among the known keys meanwhile
  sealer_.seal("session", "bob", clock_.wall() - 24h);
  EXPECT_EQ(opened(sealer_, "session", value, 30 * 24h), "alice");
  EXPECT_EQ(opened(sealer_, "session", value, 24h), "refused");
}

TEST_F(CookieSealing, ACookieOfTheFutureIsRefusedBeyondADay) {
  EXPECT_EQ(opened(sealer_, "session", sealer_.seal("session", "alice", clock_.wall() + 3min)), "alice");
  EXPECT_EQ(opened(sealer_, "session", sealer_.seal("session", "alice", clock_.wall() + 72h)), "refused");
}

TEST_F(CookieSealing, KeysChangeUnderway) {
  const SecretBytes next = crypto::random_secret(32);
  CookieSealer sealer({{1, key_}}, 1);
  const std::string before = sealer.seal("session", "alice", clock_.wall());
  const std::uint64_t epoch = sealer.epoch();
  sealer.use({{1, key_}, {2, next}}, 2);
  EXPECT_NE(sealer.epoch(), epoch);
  const std::string after = sealer.seal("session", "alice", clock_.wall());
  EXPECT_EQ(opened(sealer, "session", before), "alice");
  EXPECT_EQ(opened(sealer, "session", after), "alice");
  EXPECT_EQ(opened(sealer_, "session", after), "refused") << "the id is unknown there";
  sealer.use({{2, next}}, 2);
  EXPECT_EQ(opened(sealer, "session", before), "refused");
  EXPECT_EQ(opened(sealer, "session", after), "alice");
  // The same id over another key, as in a deployment that began anew.
  EXPECT_EQ(opened(CookieSealer({{2, key_}}, 2), "session", after), "refused");
}

TEST_F(CookieSealing, TheIdOfAKeyIsAuthenticated) {
  CookieSealer same({{1, key_}, {2, key_}}, 1);
  std::string bytes = *codec::base64url_decode(same.seal("session", "alice", clock_.wall()));
  bytes[3] = 2;
  EXPECT_EQ(opened(same, "session", codec::base64url_encode(bytes)), "refused");
}

}  // namespace
}  // namespace gatehouse::gateway
