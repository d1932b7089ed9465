#include "app/identity/cookie_keys.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/temp_dir.h"
#include "codec/base64.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

// Gateways of one store, each with its own view of the keyring.
class CookieKeysTest : public testing::Test {
 protected:
  struct Gateway {
    std::unique_ptr<secrets::Keyring> keyring;
    std::unique_ptr<CookieKeys> keys;
    void second() const {
      EXPECT_TRUE(keyring->follow());
      keys->follow();
    }
  };

  CookieKeysTest() {
    auto opened = store::open_database({.location = std::string("sqlite:") + (folder_ / "store.db")}, clock_);
    EXPECT_TRUE(opened);
    database_ = std::move(*opened);
    source_.path = folder_ / "root.key";
  }
  Gateway start() {
    auto keyring = secrets::Keyring::open(*database_, source_, clock_);
    EXPECT_TRUE(keyring);
    auto keys = std::make_unique<CookieKeys>(**keyring, clock_);
    return {std::move(*keyring), std::move(keys)};
  }
  std::string seal(const Gateway& gateway) { return gateway.keys->sealer().seal("session", "ann", clock_.wall()); }
  bool reads(const Gateway& gateway, const std::string& cookie) {
    const auto plain = gateway.keys->sealer().open("session", cookie, clock_.wall(), 24h);
    return plain && plain->expose() == "ann";
  }
  static int key_of(const std::string& cookie) { return (*codec::base64url_decode(cookie))[3]; }

  TempDir folder_;
  FakeClock clock_;
  std::unique_ptr<store::Database> database_;
  secrets::RootKeySource source_;
};

TEST_F(CookieKeysTest, ARotationChangesThemWithoutAGapBetweenGateways) {
  const Gateway one = start(), two = start();
  const std::string before = seal(one);
  EXPECT_EQ(key_of(before), 1);
  EXPECT_TRUE(reads(two, before));

  ASSERT_TRUE(one.keyring->rotate());
  one.second();
  EXPECT_EQ(key_of(seal(one)), 1) << "the other cannot know the new key yet";
  EXPECT_TRUE(reads(two, seal(one)));
  two.second();
  clock_.advance(CookieKeys::kSettle);
  one.second();
  const std::string after = seal(one);
  EXPECT_EQ(key_of(after), 2);
  EXPECT_TRUE(reads(two, after)) << "though its own time has not come to seal with it";
  EXPECT_TRUE(reads(one, before)) << "nobody is signed out by a rotation";
  EXPECT_EQ(key_of(seal(start())), 2) << "a start finds it in force";
}

TEST_F(CookieKeysTest, AKeyThatIsGoneOpensNothing) {
  const Gateway one = start(), two = start();
  const std::string before = seal(one);
  ASSERT_TRUE(one.keyring->rotate());
  clock_.advance(CookieKeys::kSettle);
  one.second();
  two.second();
  const std::uint64_t epoch = two.keys->sealer().epoch();
  ASSERT_TRUE(one.keyring->remove_key(1));
  one.second();
  two.second();
  EXPECT_FALSE(reads(one, before));
  EXPECT_FALSE(reads(two, before));
  EXPECT_TRUE(reads(two, seal(one)));
  EXPECT_NE(two.keys->sealer().epoch(), epoch) << "what was opened before is opened anew";
}

TEST_F(CookieKeysTest, NothingChangesWhileTheRingIsTheSame) {
  const Gateway one = start();
  const std::uint64_t epoch = one.keys->sealer().epoch();
  for (int i = 0; i < 5; ++i) {
    one.second();
    clock_.advance(1s);
  }
  EXPECT_EQ(one.keys->sealer().epoch(), epoch);
}

}  // namespace
}  // namespace gatehouse::app
