#include "crypto/jwt.h"

#include <gtest/gtest.h>

#include <map>

#include "base/file.h"
#include "codec/base64.h"
#include "crypto/signing_key.h"

namespace gatehouse::crypto {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kIssuer = "https://login.example";
const WallTime kNow(1'750'000'000s);

JwtExpectation expectation() {
  static const std::vector<std::string> audiences{"shop"};
  return {.issuer = kIssuer, .audiences = audiences, .algorithms = AlgorithmSet::all(), .leeway = 30s};
}

JwtStatus check(std::string_view token, const KeySet& keys, WallTime now = kNow) {
  UnverifiedJwt parsed;
  JwtValidity validity;
  const JwtStatus status = parse_jwt(token, parsed);
  return status == JwtStatus::ok ? verify_jwt(parsed, keys, expectation(), now, validity) : status;
}

// Tokens that PyJWT and pyca/cryptography made: tests/data/jwt/make_vectors.py.
TEST(Jwt, AcceptedAndRefused) {
  const std::map<std::string_view, JwtStatus> statuses = {
      {"ok", JwtStatus::ok},
      {"malformed", JwtStatus::malformed},
      {"algorithm", JwtStatus::algorithm},
      {"key_unknown", JwtStatus::key_unknown},
      {"signature", JwtStatus::signature},
      {"issuer", JwtStatus::issuer},
      {"audience", JwtStatus::audience},
      {"not_yet_valid", JwtStatus::not_yet_valid},
      {"expired", JwtStatus::expired},
  };
  const auto text = read_file(GATEHOUSE_SOURCE_DIR "/tests/data/jwt/vectors.json");
  ASSERT_TRUE(text);
  const auto vectors = codec::Json::parse(*text, {.bytes_max = 1 << 20});
  ASSERT_TRUE(vectors);
  const auto keys = KeySet::parse(*vectors->find_string("jwks"));
  ASSERT_TRUE(keys) << keys.error().message;
  EXPECT_EQ(keys->size(), 9U);
  ASSERT_GT(vectors->find("cases")->size(), 70U);
  for (const codec::Json& c : vectors->find("cases")->items()) {
    EXPECT_EQ(check(*c.find_string("token"), *keys), statuses.at(*c.find_string("status"))) << *c.find_string("name");
  }
}

// RFC 7515 appendices A.2 and A.3, RFC 8037 appendix A.4.
TEST(Jwt, PublishedSignatures) {
  struct Case {
    const char* name;
    std::string jwk, input, signature;
  };
  const std::string rfc7515_payload =
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
  const Case cases[] = {
      {"RFC 7515 A.2, RS256",
       R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPME)"
       R"(zP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsL)"
       R"(A9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj)"
       R"(8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})",
       "eyJhbGciOiJSUzI1NiJ9." + rfc7515_payload,
       "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
       "O8W2Fp5jujGbds9uJdbF9CUAr7t1"
       "dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
       "xi12jzD"
       "wusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"
       "IoypGlUPQGe7"
       "7Rw"},
      {"RFC 7515 A.3, ES256",
       R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
       R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
       "eyJhbGciOiJFUzI1NiJ9." + rfc7515_payload,
       "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
      {"RFC 8037 A.4, EdDSA", R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
       "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
       "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
  };
  for (const Case& c : cases) {
    const auto keys = KeySet::parse("{\"keys\":[" + c.jwk + "]}");
    ASSERT_TRUE(keys) << c.name << keys.error().message;
    const VerificationKey* key = keys->find(std::nullopt);
    ASSERT_TRUE(key) << c.name;
    const std::string signature = *codec::base64url_decode(c.signature);
    EXPECT_EQ(key->verify(c.input, signature), Signature::valid) << c.name;
    EXPECT_EQ(key->verify(c.input + "x", signature), Signature::invalid) << c.name;
    for (std::size_t i = 0; i < signature.size(); i += 7) {
      std::string changed = signature;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      EXPECT_EQ(key->verify(c.input, changed), Signature::invalid) << c.name << " byte " << i;
    }
  }
}

TEST(Jwt, EveryProperPrefixAndEveryFlippedByteIsRefused) {
  const SigningKey signer = SigningKey::generate();
  const auto keys = KeySet::parse(signer.public_jwks());
  ASSERT_TRUE(keys);
  const std::string token = signer.sign(R"({"iss":"https://login.example","aud":"shop","sub":"ann","exp":1750000600})");
  ASSERT_EQ(check(token, *keys), JwtStatus::ok);
  for (std::size_t size = 0; size < token.size(); ++size) {
    EXPECT_NE(check(token.substr(0, size), *keys), JwtStatus::ok) << size;
  }
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(check(changed, *keys), JwtStatus::ok) << i;
  }
  EXPECT_EQ(check(token, *keys, kNow + 629s), JwtStatus::ok);
  EXPECT_EQ(check(token, *keys, kNow + 630s), JwtStatus::expired);
}

TEST(Jwt, OnlyAllowedAlgorithmsCount) {
  const SigningKey signer = SigningKey::generate();
  const auto keys = KeySet::parse(signer.public_jwks());
  UnverifiedJwt parsed;
  const std::string token = signer.sign(R"({"iss":"https://login.example","aud":"shop","exp":1750000600})");
  ASSERT_EQ(parse_jwt(token, parsed), JwtStatus::ok);
  JwtExpectation expected = expectation();
  expected.algorithms = {};
  expected.algorithms.add(JoseAlgorithm::eddsa);
  JwtValidity validity;
  EXPECT_EQ(verify_jwt(parsed, *keys, expected, kNow, validity), JwtStatus::algorithm);
  expected = expectation();
  expected.issuer = {};
  EXPECT_EQ(verify_jwt(parsed, *keys, expected, kNow, validity), JwtStatus::issuer)
      << "no issuer expected, none accepted";
  expected = expectation();
  expected.audiences = {};
  EXPECT_EQ(verify_jwt(parsed, *keys, expected, kNow, validity), JwtStatus::ok) << "the audience is not checked";
  EXPECT_EQ(validity.expires, kNow + 630s);
}

TEST(Jwt, ATokenOfOnePurposeIsNoneOfAnother) {
  const SigningKey key = SigningKey::generate();
  struct Case {
    const char *type, *forms;  // access, our access, ID, logout, request: + accepted
  };
  const Case cases[] = {{"JWT", "+-+++"},        {"at+jwt", "++---"},      {"application/at+jwt", "++---"},
                        {"logout+jwt", "---+-"}, {"dpop+jwt", "-----"},    {"oauth-authz-req+jwt", "----+"},
                        {"", "-----"},           {"application/", "-----"}};
  const JwtForm* forms[] = {&kAccessTokenForm, &kOurAccessTokenForm, &kIdTokenForm, &kLogoutTokenForm, &kRequestForm};
  for (const Case& c : cases) {
    const std::string token = key.sign("{}", c.type);
    for (std::size_t i = 0; i < std::size(forms); ++i) {
      UnverifiedJwt parsed;
      EXPECT_EQ(parse_jwt(token, *forms[i], parsed) == JwtStatus::ok, c.forms[i] == '+') << c.type << ", form " << i;
    }
  }
}

}  // namespace
}  // namespace gatehouse::crypto
