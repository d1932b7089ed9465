#include "crypto/signing_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/json.h"

namespace gatehouse::crypto {
namespace {

constexpr JoseAlgorithm kAlgorithms[] = {JoseAlgorithm::es256, JoseAlgorithm::rs256, JoseAlgorithm::eddsa};

Signature check(const KeySet& keys, const std::string& token) {
  const std::size_t first = token.find('.'), last = token.rfind('.');
  const auto header = codec::Json::parse(*codec::base64url_decode(token.substr(0, first)));
  const auto signature = codec::base64url_decode(token.substr(last + 1));
  return keys.find(header->find_string("kid"))->verify(token.substr(0, last), *signature);
}

TEST(SigningKey, SignsWhatItsPublicKeyVerifies) {
  const SigningKey key = SigningKey::generate();
  const auto keys = KeySet::parse(key.public_jwks());
  ASSERT_TRUE(keys) << keys.error().message;
  for (int i = 0; i < 50; ++i) {  // leading zeros in r or s come about once in 128
    const std::string token = key.sign(fmt::format(R"({{"n":{}}})", i));
    const std::size_t dot = token.rfind('.');
    const auto signature = codec::base64url_decode(token.substr(dot + 1));
    ASSERT_TRUE(signature && signature->size() == 64);
    EXPECT_EQ(keys->find(key.id())->verify(token.substr(0, dot), *signature), Signature::valid);
  }
}

TEST(SigningKey, EveryAlgorithmComesBackFromItsStoredForm) {
  for (const JoseAlgorithm algorithm : kAlgorithms) {
    const auto key = SigningKey::generate(algorithm);
    ASSERT_TRUE(key) << name_of(algorithm);
    const auto again = SigningKey::from_pkcs8(key->pkcs8(), algorithm);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->id(), key->id());
    EXPECT_EQ(again->algorithm(), algorithm);
    EXPECT_EQ(again->public_jwk(), key->public_jwk());
    const auto keys = KeySet::parse(key->public_jwks());
    ASSERT_TRUE(keys) << keys.error().message;
    ASSERT_TRUE(keys->find(key->id()));
    EXPECT_EQ(keys->find(key->id())->algorithm(), algorithm);
    EXPECT_EQ(keys->find(key->id())->thumbprint(), key->id());
    EXPECT_EQ(check(*keys, again->sign(R"({"sub":"ann"})")), Signature::valid);
    for (const JoseAlgorithm other : kAlgorithms) {
      EXPECT_EQ(SigningKey::from_pkcs8(key->pkcs8(), other).has_value(), other == algorithm);
    }
  }
  EXPECT_FALSE(SigningKey::generate(JoseAlgorithm::rs256, 1024));
  EXPECT_FALSE(SigningKey::generate(JoseAlgorithm::ps256));
  EXPECT_EQ(SigningKey::generate(JoseAlgorithm::rs256, 3072)->signature_of("x").size(), 384U);
}

TEST(SigningKey, RefusesWhatIsNoStoredKey) {
  const SecretBytes der = SigningKey::generate().pkcs8();
  const std::string text(der.expose());
  EXPECT_FALSE(SigningKey::from_pkcs8(SecretBytes(text + "x"), JoseAlgorithm::es256)) << "bytes behind it";
  EXPECT_FALSE(SigningKey::from_pkcs8(SecretBytes(), JoseAlgorithm::es256));
  for (std::size_t size = 0; size < text.size(); ++size) {
    ASSERT_FALSE(SigningKey::from_pkcs8(SecretBytes(text.substr(0, size)), JoseAlgorithm::es256)) << size;
  }
}

TEST(SigningKey, TheHeaderSaysWhatWasAskedFor) {
  const SigningKey key = SigningKey::generate();
  const auto header_of = [](const std::string& token) {
    return *codec::base64url_decode(token.substr(0, token.find('.')));
  };
  EXPECT_EQ(header_of(key.sign("{}")), R"({"alg":"ES256","kid":")" + key.id() + R"(","typ":"JWT"})");
  EXPECT_EQ(header_of(key.sign("{}", "at+jwt")), R"({"alg":"ES256","kid":")" + key.id() + R"(","typ":"at+jwt"})");
  EXPECT_EQ(header_of(key.sign("{}", "logout+jwt", R"("x":1)")),
            R"({"alg":"ES256","kid":")" + key.id() + R"(","typ":"logout+jwt","x":1})");
}

TEST(SigningKey, SignsInManyThreadsAtOnce) {
  for (const JoseAlgorithm algorithm : kAlgorithms) {
    const auto key = SigningKey::generate(algorithm);
    const auto keys = KeySet::parse(key->public_jwks());
    std::atomic<int> valid{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          valid += check(*keys, key->sign(fmt::format(R"({{"n":{}}})", t * 1000 + i))) == Signature::valid ? 1 : 0;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(valid, 200) << name_of(algorithm);
  }
}

TEST(SigningKey, IsKeptInAFileOfItsOwner) {
  std::string pattern = ::testing::TempDir() + "jwk_test_XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::string file = pattern + "/internal.key";
  const auto made = SigningKey::load_or_create(file);
  ASSERT_TRUE(made) << made.error().message;
  const auto again = SigningKey::load_or_create(file);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(made->id(), again->id());
  struct stat info;
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_TRUE(write_file_atomically(file, "not a key"));
  EXPECT_FALSE(SigningKey::load_or_create(file)) << "and it is not replaced";
  EXPECT_EQ(*read_file(file), "not a key");
  std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace gatehouse::crypto
