#include "crypto/jwk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "codec/base64.h"
#include "codec/json.h"

namespace gatehouse::crypto {
namespace {

constexpr std::string_view kX = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
constexpr std::string_view kY = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

// A P-256 key with further members: "\"kid\":\"a\",".
std::string ec(std::string_view more = "", std::string_view x = kX, std::string_view y = kY) {
  return fmt::format(R"({{{}"kty":"EC","crv":"P-256","x":"{}","y":"{}"}})", more, x, y);
}
std::string set_of(std::string_view keys) { return fmt::format(R"({{"keys":[{}]}})", keys); }

std::string rsa(std::size_t bits, std::string_view exponent) {
  std::string modulus(bits / 8, '\x55');
  modulus[0] = '\x80';
  modulus.back() = '\x01';
  return fmt::format(R"({{"kty":"RSA","n":"{}","e":"{}"}})", codec::base64url_encode(modulus), exponent);
}

TEST(KeySet, AcceptedSkippedAndRefused) {
  enum class Outcome { usable, skipped, refused };
  struct Case {
    const char* name;
    std::string key;
    Outcome outcome;
  };
  std::string off_curve(kY);
  off_curve[0] = 'y';
  const Case cases[] = {
      {"P-256", ec(), Outcome::usable},
      {"with use, alg and operations", ec(R"("use":"sig","alg":"ES256","key_ops":["verify"],)"), Outcome::usable},
      {"unknown members", ec(R"("x5t":"abc","x5c":["MII"],)"), Outcome::usable},
      {"RSA of 2048 bits", rsa(2048, "AQAB"), Outcome::usable},
      {"for encryption", ec(R"("use":"enc",)"), Outcome::skipped},
      {"use is not text", ec(R"("use":1,)"), Outcome::skipped},
      {"operations without verify", ec(R"("key_ops":["encrypt"],)"), Outcome::skipped},
      {"algorithm of another kind", ec(R"("alg":"RS256",)"), Outcome::skipped},
      {"algorithm of another curve", ec(R"("alg":"ES384",)"), Outcome::skipped},
      {"algorithm none", ec(R"("alg":"none",)"), Outcome::skipped},
      {"unknown kind", R"({"kty":"AKP"})", Outcome::skipped},
      {"no kind", "{}", Outcome::skipped},
      {"unknown curve", R"({"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"})", Outcome::skipped},
      {"X25519", R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})", Outcome::skipped},
      {"not on the curve", ec("", kX, off_curve), Outcome::skipped},
      {"coordinate one byte short", ec("", kX, kY.substr(0, 42)), Outcome::skipped},
      {"the point at infinity", ec("", "AA", "AA"), Outcome::skipped},
      {"padded coordinate", ec("", std::string(kX) + "=", kY), Outcome::skipped},
      {"RSA of 1024 bits", rsa(1024, "AQAB"), Outcome::skipped},
      {"RSA of 16384 bits", rsa(16384, "AQAB"), Outcome::skipped},
      {"exponent 3", rsa(2048, "Aw"), Outcome::skipped},
      {"exponent 1", rsa(2048, "AQ"), Outcome::skipped},
      {"even exponent", rsa(2048, "AQAC"), Outcome::skipped},
      {"huge exponent", rsa(2048, "AQAAAAAAAAAAAAE"), Outcome::skipped},
      {"private EC key", ec(R"("d":"AA",)"), Outcome::refused},
      {"private member of an RSA key", R"({"kty":"RSA","n":"AQAB","e":"AQAB","p":"AA"})", Outcome::refused},
      {"symmetric key", R"({"kty":"oct","k":"c2VjcmV0"})", Outcome::refused},
      {"not an object", "1", Outcome::refused},
      {"duplicate member", R"({"kty":"EC","kty":"RSA"})", Outcome::refused},
  };
  const std::string witness = ec(R"("kid":"witness",)");
  for (const Case& c : cases) {
    const auto set = KeySet::parse(set_of(witness + "," + c.key));
    ASSERT_EQ(set.has_value(), c.outcome != Outcome::refused) << c.name;
    if (!set) continue;
    EXPECT_EQ(set->size(), c.outcome == Outcome::usable ? 2U : 1U) << c.name;
    EXPECT_EQ(set->skipped().size(), c.outcome == Outcome::usable ? 0U : 1U) << c.name;
  }
}

TEST(KeySet, Documents) {
  std::string many = ec();
  for (int i = 0; i < 64; ++i) many += "," + ec();
  struct Case {
    const char* name;
    std::string document;
    bool accepted;
  };
  const Case cases[] = {
      {"one key", set_of(ec()), true},
      {"further members", R"({"x":1,"keys":[)" + ec() + "]}", true},
      {"same key under two names", set_of(ec(R"("kid":"a",)") + "," + ec(R"("kid":"b",)")), true},
      {"two keys of one name", set_of(ec(R"("kid":"a",)") + "," + ec(R"("kid":"a",)")), false},
      {"no key", set_of(""), false},
      {"only keys to skip", set_of(ec(R"("use":"enc",)")), false},
      {"too many keys", set_of(many), false},
      {"a list", "[]", false},
      {"keys is an object", R"({"keys":{}})", false},
      {"an error page", "<html>", false},
      {"empty", "", false},
  };
  for (const Case& c : cases) EXPECT_EQ(KeySet::parse(c.document).has_value(), c.accepted) << c.name;
}

TEST(KeySet, FindingByName) {
  const auto one = KeySet::parse(set_of(ec(R"("kid":"a",)")));
  EXPECT_TRUE(one->find("a"));
  EXPECT_TRUE(one->find(std::nullopt)) << "the only key";
  EXPECT_FALSE(one->find("b"));
  EXPECT_FALSE(one->find(""));
  const auto two = KeySet::parse(set_of(ec() + "," + ec()));
  EXPECT_FALSE(two->find(std::nullopt)) << "a choice";
  EXPECT_FALSE(two->find("")) << "keys without a name cannot be named";
}

TEST(KeySet, NoticesAKeyThatIsGone) {
  const std::string a = ec(R"("kid":"a",)");
  const std::string b = SigningKey::generate().public_jwks();
  const auto old_set = KeySet::parse(set_of(a));
  EXPECT_TRUE(KeySet::parse(set_of(a + "," + ec(R"("kid":"b",)")))->keeps_all_of(*old_set));
  EXPECT_FALSE(KeySet::parse(b)->keeps_all_of(*old_set));
  EXPECT_FALSE(KeySet::parse(set_of(ec(R"("kid":"b",)")))->keeps_all_of(*old_set)) << "renamed";
}

TEST(KeySet, AnRsaKeyWithoutAlgorithmGetsTheFirstAllowed) {
  AlgorithmSet pss;
  pss.add(JoseAlgorithm::ps256);
  EXPECT_EQ(KeySet::parse(set_of(rsa(2048, "AQAB")))->find(std::nullopt)->algorithm(), JoseAlgorithm::rs256);
  EXPECT_EQ(KeySet::parse(set_of(rsa(2048, "AQAB")), pss)->find(std::nullopt)->algorithm(), JoseAlgorithm::ps256);
  EXPECT_FALSE(KeySet::parse(set_of(ec()), pss));
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
