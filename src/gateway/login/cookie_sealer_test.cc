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
  const CookieSealer sealer_{key_};
};

TEST_F(CookieSealing, OpensForItsPurposeOnEveryGatewayOfTheDeployment) {
  const std::string value = sealer_.seal("session", "alice", clock_.wall());
  EXPECT_EQ(opened(sealer_, "session", value), "alice");
  EXPECT_EQ(opened(CookieSealer(key_), "session", value), "alice");
  EXPECT_EQ(opened(sealer_, "login", value), "refused");
  EXPECT_EQ(opened(CookieSealer(crypto::random_secret(32)), "session", value), "refused");
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

}  // namespace
}  // namespace gatehouse::gateway
