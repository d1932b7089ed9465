#include "crypto/jwk.h"

#include <gtest/gtest.h>

#include "codec/base64.h"
#include "codec/json.h"
#include "crypto/signing_key.h"

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

TEST(VerificationKey, OneJwkByItself) {
  const auto parse = [](const std::string& text) { return VerificationKey::parse(*codec::Json::parse(text)); };
  EXPECT_EQ(parse(ec(R"("kid":"a",)"))->id(), "a");
  EXPECT_EQ(parse(ec(R"("alg":"ES256",)"))->algorithm(), JoseAlgorithm::es256);
  EXPECT_FALSE(parse(ec(R"("d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI",)"))) << "a private key";
  EXPECT_FALSE(parse(
      R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})"));
  EXPECT_FALSE(parse(ec("", kY, kX))) << "not on the curve";
  EXPECT_FALSE(parse(ec(R"("use":"enc",)")));
  EXPECT_FALSE(parse(rsa(1024, "AQAB")));
  EXPECT_FALSE(parse("[]"));
  AlgorithmSet eddsa;
  eddsa.add(JoseAlgorithm::eddsa);
  EXPECT_FALSE(VerificationKey::parse(*codec::Json::parse(ec()), eddsa));
}

TEST(VerificationKey, ThumbprintsOfPublishedKeys) {
  struct Case {
    const char* name;
    std::string jwk;
    const char* thumbprint;
  };
  const Case cases[] = {
      {"RFC 7638 §3.1",
       R"({"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZ)"
       R"(CiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA)"
       R"(ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awa)"
       R"(pJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"})",
       "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
      {"RFC 8037 A.3", R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"},
      {"RFC 9449 §6.1",
       ec(R"("kid":"any",)", "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
          "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"),
       "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"},
  };
  for (const Case& c : cases) {
    const auto key = VerificationKey::parse(*codec::Json::parse(c.jwk));
    ASSERT_TRUE(key) << c.name << ": " << key.error().message;
    EXPECT_EQ(key->thumbprint(), c.thumbprint) << c.name;
  }
}

}  // namespace
}  // namespace gatehouse::crypto
