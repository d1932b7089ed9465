#include "identity/provider/signing_keys.h"

#include <gtest/gtest.h>

#include "identity/identity_testing.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;

class SigningKeysTest : public StoreTest {
 protected:
  std::string signer(const SigningKeys& keys) {
    const auto* key = keys.current()->signer(crypto::JoseAlgorithm::es256, clock.wall());
    return key != nullptr ? key->id() : "none";
  }
};

TEST_P(SigningKeysTest, AKeyIsPublishedEverywhereBeforeItSignsAnywhere) {
  SigningKeys one(gateway->database, keyring, clock, {}), two(gateway->database, keyring, clock, {});
  expect_ok(one.refresh());
  expect_ok(two.follow());
  const std::string old = signer(one);
  EXPECT_EQ(signer(two), old);
  const auto unchanged = two.current();
  expect_ok(two.follow());
  EXPECT_EQ(two.current(), unchanged) << "nothing new, nothing read";

  expect_ok(one.rotate_now());
  EXPECT_EQ(signer(one), old) << "the other does not know the new one yet";
  clock.advance(1s);
  expect_ok(two.follow());
  EXPECT_EQ(two.current()->jwks(), one.current()->jwks());
  clock.advance(SigningKeys::kEverywhere);
  EXPECT_NE(signer(one), old);
  EXPECT_EQ(signer(two), signer(one));
  EXPECT_NE(two.current()->jwks().find(old), std::string::npos) << "what it signed is verified for two days more";
  clock.advance(SigningKeys::kKeepAfter + 1s);
  expect_ok(one.refresh());
  expect_ok(two.follow());
  EXPECT_EQ(two.current()->jwks().find(old), std::string::npos);
}

GH_ON_EVERY_STORE(SigningKeysTest);

}  // namespace
}  // namespace gatehouse::identity
