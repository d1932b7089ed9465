#include "crypto/dpop.h"

#include <gtest/gtest.h>

#include "codec/base64.h"
#include "crypto/signing_key.h"

namespace gatehouse::crypto {
namespace {

using namespace std::chrono_literals;

const WallTime kNow(1'750'000'000s);
constexpr std::string_view kUri = "https://login.example/token";

std::string make_proof(const SigningKey& key, std::string_view header, std::string_view claims) {
  const std::string input = codec::base64url_encode(header) + "." + codec::base64url_encode(claims);
  return input + "." + codec::base64url_encode(key.signature_of(input));
}
std::string header_for(const SigningKey& key) {
  return fmt::format(R"({{"typ":"dpop+jwt","alg":"{}","jwk":{}}})", name_of(key.algorithm()), key.public_jwk());
}
std::string claims(
    std::string_view more = R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":1750000000)") {
  return fmt::format("{{{}}}", more);
}
DpopStatus check(std::string_view proof, DpopExpectation expected = {.method = "POST", .uri = kUri},
                 WallTime now = kNow) {
  DpopProof out;
  return verify_dpop(proof, expected, now, out);
}

// RFC 9449 §4.1 (figure 2) and §7.1 (figure 13).
TEST(Dpop, PublishedProofs) {
  const std::string header =
      "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJo"
      "RjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19";
  const std::string at_token_endpoint =
      header +
      ".eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF"
      "0"
      "IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
  const std::string at_resource = header +
                                  ".eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5"
                                  "leGFtcGxlLm9yZy9wcm90ZWN0ZWRy"
                                  "ZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1"
                                  "OUlpS0NBcWtzbVFFbyJ9.2oW9RP35"
                                  "yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
  const WallTime then(1'562'262'620s);
  DpopProof out;
  EXPECT_EQ(verify_dpop(at_token_endpoint, {.method = "POST", .uri = "https://server.example.com/token"}, then, out),
            DpopStatus::ok);
  EXPECT_EQ(out.thumbprint, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
  EXPECT_EQ(out.replay_until, WallTime(1'562'262'616s) + 90s);
  const DpopExpectation resource{.method = "GET",
                                 .uri = "https://resource.example.org/protectedresource",
                                 .access_token = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
                                 .thumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"};
  EXPECT_EQ(verify_dpop(at_resource, resource, then, out), DpopStatus::ok);
  EXPECT_EQ(check(at_token_endpoint, resource, then), DpopStatus::method);
}

TEST(Dpop, EveryAlgorithmOfOurs) {
  for (const JoseAlgorithm algorithm : {JoseAlgorithm::es256, JoseAlgorithm::rs256, JoseAlgorithm::eddsa}) {
    const auto key = SigningKey::generate(algorithm);
    DpopProof out;
    EXPECT_EQ(verify_dpop(make_proof(*key, header_for(*key), claims()), {.method = "POST", .uri = kUri}, kNow, out),
              DpopStatus::ok);
    EXPECT_EQ(out.thumbprint, key->id());
  }
}

TEST(Dpop, HeadersRefused) {
  const SigningKey key = SigningKey::generate(), other = SigningKey::generate();
  const std::string jwk = key.public_jwk();
  const std::string x = jwk.substr(jwk.find("\"x\""));
  struct Case {
    const char* name;
    std::string header;
    DpopStatus status;
  };
  const Case cases[] = {
      {"as it should be", header_for(key), DpopStatus::ok},
      {"the long media type", R"({"typ":"application/dpop+jwt","alg":"ES256","jwk":)" + jwk + "}", DpopStatus::ok},
      {"no type", R"({"alg":"ES256","jwk":)" + jwk + "}", DpopStatus::malformed},
      {"an access token's type", R"({"typ":"at+jwt","alg":"ES256","jwk":)" + jwk + "}", DpopStatus::malformed},
      {"no key", R"({"typ":"dpop+jwt","alg":"ES256"})", DpopStatus::malformed},
      {"a key that is no object", R"({"typ":"dpop+jwt","alg":"ES256","jwk":"x"})", DpopStatus::malformed},
      {"a key by address", R"({"typ":"dpop+jwt","alg":"ES256","jku":"https://a.example/","jwk":)" + jwk + "}",
       DpopStatus::malformed},
      {"crit", R"({"typ":"dpop+jwt","alg":"ES256","crit":["b64"],"jwk":)" + jwk + "}", DpopStatus::malformed},
      {"none", R"({"typ":"dpop+jwt","alg":"none","jwk":)" + jwk + "}", DpopStatus::algorithm},
      {"HS256", R"({"typ":"dpop+jwt","alg":"HS256","jwk":{"kty":"oct","k":"AAAA"}})", DpopStatus::algorithm},
      {"an algorithm of another kind", R"({"typ":"dpop+jwt","alg":"RS256","jwk":)" + jwk + "}", DpopStatus::key},
      {"a private key", R"({"typ":"dpop+jwt","alg":"ES256","jwk":{"kty":"EC","crv":"P-256","d":"AAAA",)" + x + "}",
       DpopStatus::key},
      {"another key", header_for(other), DpopStatus::signature},
  };
  for (const Case& c : cases) EXPECT_EQ(check(make_proof(key, c.header, claims())), c.status) << c.name;
  AlgorithmSet rsa;
  rsa.add(JoseAlgorithm::rs256);
  EXPECT_EQ(check(make_proof(key, header_for(key), claims()), {.method = "POST", .uri = kUri, .algorithms = rsa}),
            DpopStatus::algorithm);
}

TEST(Dpop, ClaimsRefused) {
  const SigningKey key = SigningKey::generate();
  struct Case {
    const char* name;
    std::string claims;
    DpopStatus status;
  };
  const Case cases[] = {
      {"no jti", R"("htm":"POST","htu":"https://login.example/token","iat":1750000000)", DpopStatus::malformed},
      {"empty jti", R"("jti":"","htm":"POST","htu":"https://login.example/token","iat":1750000000)",
       DpopStatus::malformed},
      {"jti is a number", R"("jti":1,"htm":"POST","htu":"https://login.example/token","iat":1750000000)",
       DpopStatus::malformed},
      {"a jti without end",
       R"("jti":")" + std::string(257, 'j') + R"(","htm":"POST","htu":"https://login.example/token","iat":1750000000)",
       DpopStatus::malformed},
      {"another method", R"("jti":"a","htm":"GET","htu":"https://login.example/token","iat":1750000000)",
       DpopStatus::method},
      {"methods have one case", R"("jti":"a","htm":"post","htu":"https://login.example/token","iat":1750000000)",
       DpopStatus::method},
      {"no method", R"("jti":"a","htu":"https://login.example/token","iat":1750000000)", DpopStatus::method},
      {"no URI", R"("jti":"a","htm":"POST","iat":1750000000)", DpopStatus::uri},
      {"no iat", R"("jti":"a","htm":"POST","htu":"https://login.example/token")", DpopStatus::malformed},
      {"iat is text", R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":"1750000000")",
       DpopStatus::malformed},
      {"90 seconds old", R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":1749999910)",
       DpopStatus::ok},
      {"91 seconds old", R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":1749999909)",
       DpopStatus::stale},
      {"30 seconds ahead", R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":1750000030)",
       DpopStatus::ok},
      {"31 seconds ahead", R"("jti":"a","htm":"POST","htu":"https://login.example/token","iat":1750000031)",
       DpopStatus::stale},
  };
  for (const Case& c : cases) EXPECT_EQ(check(make_proof(key, header_for(key), claims(c.claims))), c.status) << c.name;
}

TEST(Dpop, UrisAreComparedNormalized) {
  const SigningKey key = SigningKey::generate();
  const std::pair<const char*, DpopStatus> cases[] = {
      {"https://login.example/token", DpopStatus::ok},
      {"https://login.example/token?a=b", DpopStatus::ok},
      {"https://login.example/token#x", DpopStatus::ok},
      {"HTTPS://Login.Example/token", DpopStatus::ok},
      {"https://login.example:443/token", DpopStatus::ok},
      {"https://login.example/%74oken", DpopStatus::ok},
      {"https://login.example:8443/token", DpopStatus::uri},
      {"http://login.example/token", DpopStatus::uri},
      {"https://login.example/Token", DpopStatus::uri},
      {"https://login.example/token/", DpopStatus::uri},
      {"https://login.example/a/../token", DpopStatus::uri},
      {"https://login.example.evil.example/token", DpopStatus::uri},
      {"https://login.example@evil.example/token", DpopStatus::uri},
      {"https://user@login.example/token", DpopStatus::uri},
      {"https://login.example/token%", DpopStatus::uri},
      {"https://login.example", DpopStatus::uri},
      {"/token", DpopStatus::uri},
      {"https:///token", DpopStatus::uri},
      {"", DpopStatus::uri},
  };
  for (const auto& [uri, status] : cases) {
    const std::string text = fmt::format(R"("jti":"a","htm":"POST","htu":"{}","iat":1750000000)", uri);
    EXPECT_EQ(check(make_proof(key, header_for(key), claims(text))), status) << uri;
  }
  const std::string root = claims(R"("jti":"a","htm":"POST","htu":"https://login.example","iat":1750000000)");
  EXPECT_EQ(check(make_proof(key, header_for(key), root), {.method = "POST", .uri = "https://login.example/"}),
            DpopStatus::ok);
}

TEST(Dpop, TokenAndKeyAreBoundTogether) {
  const SigningKey key = SigningKey::generate(), other = SigningKey::generate();
  const std::string with_token = fmt::format(R"({{"jti":"a","htm":"POST","htu":"{}","iat":1750000000,"ath":"{}"}})",
                                             kUri, dpop_token_digest("token"));
  const std::string proof = make_proof(key, header_for(key), with_token);
  DpopExpectation expected{.method = "POST", .uri = kUri, .access_token = "token", .thumbprint = key.id()};
  EXPECT_EQ(check(proof, expected), DpopStatus::ok);
  expected.access_token = "another";
  EXPECT_EQ(check(proof, expected), DpopStatus::access_token);
  expected.access_token = "token";
  EXPECT_EQ(check(make_proof(key, header_for(key), claims()), expected), DpopStatus::access_token) << "no ath";
  expected.thumbprint = other.id();
  EXPECT_EQ(check(proof, expected), DpopStatus::binding);
}

TEST(Dpop, NoncesChangeByTheirStep) {
  const SigningKey key = SigningKey::generate();
  const DpopNonces nonces(SecretBytes(std::string_view("a key of the deployment, 32 byte")));
  const auto with_nonce = [&](const std::string& nonce) {
    return make_proof(
        key, header_for(key),
        fmt::format(R"({{"jti":"a","htm":"POST","htu":"{}","iat":1750000000,"nonce":"{}"}})", kUri, nonce));
  };
  const auto accepted = nonces.accepted(kNow);
  DpopExpectation expected{.method = "POST", .uri = kUri, .nonces = accepted};
  EXPECT_EQ(check(with_nonce(nonces.current(kNow)), expected), DpopStatus::ok);
  EXPECT_EQ(check(with_nonce(nonces.current(kNow - 2min)), expected), DpopStatus::ok) << "the one before";
  EXPECT_EQ(check(with_nonce(nonces.current(kNow - 4min)), expected), DpopStatus::nonce);
  EXPECT_EQ(check(with_nonce(nonces.current(kNow + 2min)), expected), DpopStatus::nonce);
  EXPECT_EQ(check(with_nonce(""), expected), DpopStatus::nonce);
  EXPECT_EQ(check(make_proof(key, header_for(key), claims()), expected), DpopStatus::nonce);
}

TEST(Dpop, TheReplayKeyNamesKeyIdAndUri) {
  const SigningKey key = SigningKey::generate(), other = SigningKey::generate();
  const auto replay_key = [](const SigningKey& k, std::string_view id, std::string_view uri) {
    DpopProof out;
    const std::string text = fmt::format(R"({{"jti":"{}","htm":"POST","htu":"{}","iat":1750000000}})", id, uri);
    EXPECT_EQ(verify_dpop(make_proof(k, header_for(k), text), {.method = "POST", .uri = uri}, kNow, out),
              DpopStatus::ok);
    return out.replay_key;
  };
  const std::string first = replay_key(key, "a", kUri);
  EXPECT_EQ(first, replay_key(key, "a", kUri)) << "the second use";
  EXPECT_EQ(first, replay_key(key, "a", "https://LOGIN.example:443/token")) << "spelled otherwise";
  EXPECT_NE(first, replay_key(key, "b", kUri));
  EXPECT_NE(first, replay_key(other, "a", kUri));
  EXPECT_NE(first, replay_key(key, "a", "https://login.example/par"));
}

}  // namespace
}  // namespace gatehouse::crypto
