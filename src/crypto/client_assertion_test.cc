#include "crypto/client_assertion.h"

#include <gtest/gtest.h>

#include "crypto/signing_key.h"

namespace gatehouse::crypto {
namespace {

using namespace std::chrono_literals;

const WallTime kNow(1'750'000'000s);
const std::vector<std::string> kAudiences{"https://login.example", "https://login.example/token"};

ClientAssertionExpectation expectation() {
  return {.client_id = "billing", .audiences = kAudiences, .algorithms = AlgorithmSet::all()};
}

constexpr char kGood[] =
    R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","iat":1750000000,"exp":1750000060})";

TEST(ClientAssertion, AcceptedAndRefused) {
  struct Case {
    const char *name, *claims;
    ClientAssertionStatus status;
  };
  using enum ClientAssertionStatus;
  const Case cases[] = {
      {"as it should be", kGood, ok},
      {"for the token endpoint, in a list",
       R"({"iss":"billing","sub":"billing","aud":["x","https://login.example/token"],"jti":"1","exp":1750000060})", ok},
      {"another issuer", R"({"iss":"other","sub":"billing","aud":"https://login.example","jti":"1","exp":1750000060})",
       client},
      {"another subject", R"({"iss":"billing","sub":"other","aud":"https://login.example","jti":"1","exp":1750000060})",
       client},
      {"no subject", R"({"iss":"billing","aud":"https://login.example","jti":"1","exp":1750000060})", client},
      {"another audience",
       R"({"iss":"billing","sub":"billing","aud":"https://evil.example","jti":"1","exp":1750000060})", audience},
      {"an audience that begins alike",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example.evil","jti":"1","exp":1750000060})", audience},
      {"no audience", R"({"iss":"billing","sub":"billing","jti":"1","exp":1750000060})", audience},
      {"no end", R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1"})", malformed},
      {"expired within the leeway",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","exp":1749999971})", ok},
      {"expired", R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","exp":1749999970})",
       expired},
      {"not yet valid",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","nbf":1750000031,"exp":1750000060})",
       not_yet_valid},
      {"good for an hour",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","exp":1750003630})", ok},
      {"good for a day",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"1","exp":1750086400})", lifetime},
      {"no identifier", R"({"iss":"billing","sub":"billing","aud":"https://login.example","exp":1750000060})",
       identifier},
      {"an empty identifier",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":"","exp":1750000060})", identifier},
      {"an identifier that is a number",
       R"({"iss":"billing","sub":"billing","aud":"https://login.example","jti":5,"exp":1750000060})", identifier},
  };
  const SigningKey key = SigningKey::generate();
  const auto keys = KeySet::parse(key.public_jwks());
  for (const Case& c : cases) {
    ClientAssertion out;
    EXPECT_EQ(verify_client_assertion(key.sign(c.claims), *keys, expectation(), kNow, out), c.status) << c.name;
    if (c.status != ok) {
      EXPECT_EQ(out.id, "") << c.name;
    }
  }
}

TEST(ClientAssertion, KeysTypesAndAlgorithms) {
  const SigningKey key = SigningKey::generate(), other = SigningKey::generate();
  const auto keys = KeySet::parse(key.public_jwks());
  ClientAssertion out;
  const auto check = [&](std::string_view token, const ClientAssertionExpectation& expected) {
    return verify_client_assertion(token, *keys, expected, kNow, out);
  };
  EXPECT_EQ(check(key.sign(kGood, "client-authentication+jwt"), expectation()), ClientAssertionStatus::ok);
  EXPECT_EQ(out.id, "1");
  EXPECT_EQ(out.expires, WallTime(1'750'000'090s));
  EXPECT_EQ(check(key.sign(kGood, "at+jwt"), expectation()), ClientAssertionStatus::malformed);
  EXPECT_EQ(check(other.sign(kGood), expectation()), ClientAssertionStatus::key_unknown);
  std::string changed = key.sign(kGood);
  changed[changed.size() - 10] = changed[changed.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(check(changed, expectation()), ClientAssertionStatus::signature);
  EXPECT_EQ(check(key.sign(kGood, "JWT", R"("jwk":)" + other.public_jwk()), expectation()),
            ClientAssertionStatus::malformed);
  auto expected = expectation();
  expected.algorithms = {};
  expected.algorithms.add(JoseAlgorithm::rs256);
  EXPECT_EQ(check(key.sign(kGood), expected), ClientAssertionStatus::algorithm);
  expected = expectation();
  expected.audiences = {};
  EXPECT_EQ(check(key.sign(kGood), expected), ClientAssertionStatus::audience)
      << "no audience of ours: nothing is for us";
  expected = expectation();
  expected.client_id = "";
  EXPECT_EQ(
      check(key.sign(R"({"iss":"","sub":"","aud":"https://login.example","jti":"1","exp":1750000060})"), expected),
      ClientAssertionStatus::client);
}

TEST(ClientAssertion, NamesItsClient) {
  const SigningKey key = SigningKey::generate();
  EXPECT_EQ(client_of_assertion(key.sign(kGood)), "billing");
  EXPECT_EQ(client_of_assertion(key.sign(R"({"iss":"billing","sub":"other"})")), "");
  EXPECT_EQ(client_of_assertion(key.sign(R"({"iss":"billing"})")), "");
  EXPECT_EQ(client_of_assertion("x"), "");
}

}  // namespace
}  // namespace gatehouse::crypto
