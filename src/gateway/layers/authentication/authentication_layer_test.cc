#include "gateway/layers/authentication/authentication_layer.h"

#include <gtest/gtest.h>

#include <thread>

#include "codec/base64.h"
#include "crypto/jwt.h"
#include "crypto/signing_key.h"
#include "gateway/layers/authentication/upstream_identity.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kSecret = "gh_ci_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const std::string kFingerprint(64, 'a');

class AuthenticationTest : public ::testing::Test {
 protected:
  AuthenticationTest() : signer_(crypto::SigningKey::generate()) {
    config_.trust_domain = "shop.example";
    JwtIssuerConfig issuer;
    issuer.name = "main";
    issuer.issuer = "https://login.example";
    issuer.audience = {"shop"};
    config_.authentication.jwt = {issuer};
    config_.authentication.api_keys = ApiKeysConfig{};
    config_.authentication.client_certificates = ClientCertificatesConfig{};
    keys_ = {std::make_shared<IssuerKeys>()};
    keys_[0]->publish(*crypto::KeySet::parse(signer_.public_jwks()));
    ApiKeySet set;
    ApiKeyEntry entry;
    entry.id = "ci";
    entry.user = "ci@shop.example";
    entry.hash = crypto::sha256(kSecret);
    entry.roles = {"deployer"};
    entry.expires = now_ + 1h;
    EXPECT_TRUE(set.add(entry));
    api_keys_->publish(std::move(set));
    connection_.tls = true;
    internal_ = std::make_shared<const crypto::SigningKey>(crypto::SigningKey::generate());
  }
  void SetUp() override { make_layer(); }
  void make_layer() { layer_ = std::make_unique<AuthenticationLayer>(config_, keys_, api_keys_); }

  std::string token(std::string_view more = R"("sub":"ann","roles":["customer"],"scope":"orders:read orders:write")",
                    int expires_in = 300) const {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now_.time_since_epoch()).count();
    return signer_.sign(fmt::format(R"({{"iss":"https://login.example","aud":["shop"],"iat":{},"exp":{},{}}})",
                                    seconds - 10, seconds + expires_in, more));
  }

  struct Outcome {
    Decision decision;
    Principal principal;
  };
  Outcome ask(std::vector<http::Field> fields, bool is_public = false) {
    arena_.reset();
    route_.is_public = is_public;
    Request request(arena_, record_);
    request.config = &config_;
    request.route = &route_;
    request.connection = &connection_;
    request.wall = now_;
    for (const http::Field& field : fields) request.message.fields.add(field.name, field.value);
    const Decision decision = layer_->decide(request);
    return {decision, request.principal};
  }
  Outcome bearer(const std::string& text) {
    held_ = "Bearer " + text;
    return ask({{"authorization", held_}});
  }

  WallTime now_{1'750'000'000s};
  Config config_;
  crypto::SigningKey signer_;
  KeySource keys_;
  std::shared_ptr<ApiKeySource> api_keys_ = std::make_shared<ApiKeySource>();
  std::shared_ptr<const crypto::SigningKey> internal_;
  http::ConnectionInfo connection_;
  RouteConfig route_;
  Arena arena_;
  telemetry::DecisionRecord record_;
  std::unique_ptr<AuthenticationLayer> layer_;
  std::string held_;
};

class FakeRevokedTokens final : public RevokedTokens {
 public:
  bool covers(const TokenName& token) const noexcept override {
    return token.id == id || token.grant == grant || token.session == session ||
           (token.user == user && token.issued_s < user_before);
  }
  std::string id = "-", grant = "-", session = "-", user = "-";
  std::int64_t user_before = 0;
};

// Also when it has been verified, and let through, before.
TEST_F(AuthenticationTest, WhatItsIssuerTookBackIsRefused) {
  const auto revoked = std::make_shared<FakeRevokedTokens>();
  keys_ = {std::make_shared<IssuerKeys>(revoked)};
  keys_[0]->publish(*crypto::KeySet::parse(signer_.public_jwks()));
  make_layer();
  const std::string text = token(R"("sub":"ann","jti":"t-1","gid":"g-1","sid":"s-1")");
  const auto is_good = [&] {
    const Outcome outcome = bearer(text);
    EXPECT_EQ(outcome.decision.reason, outcome.decision.verdict == Verdict::pass ? "" : "auth.revoked");
    return outcome.principal.user == "ann";
  };
  EXPECT_TRUE(is_good());
  for (std::string FakeRevokedTokens::*which :
       {&FakeRevokedTokens::id, &FakeRevokedTokens::grant, &FakeRevokedTokens::session}) {
    (*revoked).*which = which == &FakeRevokedTokens::id ? "t-1" : which == &FakeRevokedTokens::grant ? "g-1" : "s-1";
    EXPECT_FALSE(is_good());
    EXPECT_FALSE(is_good());
    (*revoked).*which = "-";
    EXPECT_TRUE(is_good());
  }
  revoked->user = "ann";
  revoked->user_before = 1'750'000'000 - 10;  // when it was issued
  EXPECT_TRUE(is_good());
  ++revoked->user_before;
  EXPECT_FALSE(is_good());
  make_layer();  // it was never seen
  EXPECT_FALSE(is_good());
}

TEST_F(AuthenticationTest, CredentialsAcceptedAndRefused) {
  const std::string good = "Bearer " + token();
  const std::string lower = "bearer  " + token();
  const std::string key(kSecret);
  std::string wrong_key = key;
  wrong_key.back() = 'B';
  struct Case {
    const char* name;
    std::vector<http::Field> fields;
    std::string_view reason;
    AuthMethod method;
  };
  const std::string garbage = "Bearer abc", expired = "Bearer " + token(R"("sub":"ann")", -31);
  const Case cases[] = {
      {"token", {{"authorization", good}}, "", AuthMethod::jwt},
      {"scheme in lower case, two spaces", {{"authorization", lower}}, "", AuthMethod::jwt},
      {"API key", {{"x-api-key", key}}, "", AuthMethod::api_key},
      {"token before key", {{"x-api-key", wrong_key}, {"authorization", good}}, "", AuthMethod::jwt},
      {"Basic, then a key", {{"authorization", "Basic YTpi"}, {"x-api-key", key}}, "", AuthMethod::api_key},
      {"nothing", {}, "auth.missing", AuthMethod::none},
      {"another scheme", {{"authorization", "Basic YTpi"}}, "auth.missing", AuthMethod::none},
      {"empty bearer", {{"authorization", "Bearer "}}, "auth.missing", AuthMethod::none},
      {"garbage", {{"authorization", garbage}}, "auth.malformed", AuthMethod::none},
      {"expired", {{"authorization", expired}}, "auth.expired", AuthMethod::none},
      {"a bad token is not made good by a key",
       {{"authorization", garbage}, {"x-api-key", key}},
       "auth.malformed",
       AuthMethod::none},
      {"two tokens", {{"authorization", good}, {"authorization", good}}, "auth.malformed", AuthMethod::none},
      {"two keys", {{"x-api-key", key}, {"x-api-key", key}}, "auth.api_key", AuthMethod::none},
      {"wrong key", {{"x-api-key", wrong_key}}, "auth.api_key", AuthMethod::none},
      {"unknown key",
       {{"x-api-key", "gh_cd_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}},
       "auth.api_key",
       AuthMethod::none},
      {"not a key", {{"x-api-key", "secret"}}, "auth.api_key", AuthMethod::none},
      {"empty key", {{"x-api-key", ""}}, "auth.api_key", AuthMethod::none},
  };
  for (const Case& c : cases) {
    for (const char* turn : {"first", "cached"}) {
      const Outcome outcome = ask(c.fields);
      EXPECT_EQ(outcome.decision.reason, c.reason) << c.name << ", " << turn;
      EXPECT_EQ(outcome.decision.verdict, c.reason.empty() ? Verdict::pass : Verdict::deny) << c.name;
      EXPECT_EQ(outcome.principal.method, c.method) << c.name;
      if (!c.reason.empty()) {
        EXPECT_EQ(outcome.decision.status, 401) << c.name;
        EXPECT_EQ(outcome.decision.challenge, c.reason == "auth.missing" ? "Bearer" : "Bearer error=\"invalid_token\"")
            << c.name;
      }
    }
    const Outcome in_public = ask(c.fields, true);
    EXPECT_EQ(in_public.decision.verdict, Verdict::pass) << c.name;
    EXPECT_EQ(in_public.principal.method, c.method) << c.name << ": no identity from what doesn't verify";
  }
}

TEST_F(AuthenticationTest, FactsOfAToken) {
  for (const char* turn : {"first", "cached"}) {
    const Outcome outcome = bearer(token(
        R"("sub":"ann","roles":["customer","Domain Users"],"scope":"a b","amr":["pwd","otp"],"auth_time":1749999000)"));
    const Principal& who = outcome.principal;
    ASSERT_EQ(who.method, AuthMethod::jwt) << turn << outcome.decision.reason;
    EXPECT_EQ(who.user, "ann");
    EXPECT_EQ(who.issuer, "main");
    ASSERT_EQ(who.roles.size(), 2U);
    EXPECT_EQ(who.roles[1], "Domain Users");
    ASSERT_EQ(who.scopes.size(), 2U);
    EXPECT_EQ(who.scopes[1], "b");
    ASSERT_EQ(who.audiences.size(), 1U);
    EXPECT_EQ(who.audiences[0], "shop");
    EXPECT_TRUE(who.mfa);
    EXPECT_EQ(who.authenticated_at, WallTime(1'749'999'000s));
    EXPECT_EQ(who.expires, now_ + 330s);
    EXPECT_EQ(who.fingerprint.size(), 32U);
  }
}

TEST_F(AuthenticationTest, ClaimForms) {
  config_.authentication.jwt[0].roles_claim = "realm_access.roles";
  make_layer();
  struct Case {
    const char* name;
    const char* claims;
    std::string_view reason;
    std::size_t roles;
    bool mfa;
  };
  const Case cases[] = {
      {"nested roles", R"("sub":"a","realm_access":{"roles":["x","y"]})", "", 2, false},
      {"a literal name with a dot comes first", R"("sub":"a","realm_access.roles":["z"])", "", 1, false},
      {"one role as text", R"("sub":"a","realm_access":{"roles":"x"})", "", 1, false},
      {"no roles", R"("sub":"a")", "", 0, false},
      {"mfa by name", R"("sub":"a","amr":["mfa"])", "", 0, true},
      {"password alone", R"("sub":"a","amr":["pwd"])", "", 0, false},
      {"two of one kind", R"("sub":"a","amr":["pwd","pin"])", "", 0, false},
      {"held and of the body", R"("sub":"a","amr":["hwk","fpt"])", "", 0, true},
      {"roles are numbers", R"("sub":"a","realm_access":{"roles":[1]})", "auth.malformed", 0, false},
      {"roles are an object", R"("sub":"a","realm_access":{"roles":{}})", "auth.malformed", 0, false},
      {"no user", R"("x":1)", "auth.malformed", 0, false},
      {"empty user", R"("sub":"")", "auth.malformed", 0, false},
      {"user is a number", R"("sub":7)", "auth.malformed", 0, false},
      {"bound to a DPoP key", R"("sub":"a","cnf":{"jkt":"x"})", "auth.binding", 0, false},
      {"bound to a certificate that isn't here",
       R"("sub":"a","cnf":{"x5t#S256":"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo"})", "auth.binding", 0, false},
  };
  for (const Case& c : cases) {
    const Outcome outcome = bearer(token(c.claims));
    EXPECT_EQ(outcome.decision.reason, c.reason) << c.name;
    EXPECT_EQ(outcome.principal.roles.size(), c.roles) << c.name;
    EXPECT_EQ(outcome.principal.mfa, c.mfa) << c.name;
  }
  std::string many = R"("sub":"a","realm_access":{"roles":[)";
  for (int i = 0; i < 257; ++i) many += fmt::format("{}\"{}\"", i ? "," : "", i);
  EXPECT_EQ(bearer(token(many + "]}")).decision.reason, "auth.malformed") << "too many roles";
}

TEST_F(AuthenticationTest, ATokenBoundToACertificateNeedsItOnEveryConnection) {
  const std::string bound = token(R"("sub":"a","cnf":{"x5t#S256":"qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo"})");
  connection_.certificate_sha256 = kFingerprint;  // 0xaa… is what the claim says in base64url
  EXPECT_EQ(bearer(bound).decision.reason, "");
  EXPECT_EQ(bearer(bound).decision.reason, "") << "cached";
  connection_.certificate_sha256 = std::string(64, 'b');
  EXPECT_EQ(bearer(bound).decision.reason, "auth.binding") << "cached, from another connection";
  connection_.certificate_sha256.clear();
  EXPECT_EQ(bearer(bound).decision.reason, "auth.binding");
}

TEST_F(AuthenticationTest, ACachedTokenEndsWithItsTimeAndWithItsKey) {
  const std::string text = token(R"("sub":"ann")", 60);
  EXPECT_EQ(bearer(text).decision.reason, "");
  now_ += 89s;
  EXPECT_EQ(bearer(text).decision.reason, "") << "within the leeway";
  now_ += 1s;
  EXPECT_EQ(bearer(text).decision.reason, "auth.expired");

  const std::string next = token();
  EXPECT_EQ(bearer(next).decision.reason, "");
  now_ -= 50s;
  EXPECT_EQ(bearer(next).decision.reason, "auth.not_yet_valid") << "the clock was set back";
  now_ += 50s;
  EXPECT_EQ(bearer(next).decision.reason, "");
  const auto other = crypto::SigningKey::generate();
  keys_[0]->publish(*crypto::KeySet::parse(other.public_jwks()));
  EXPECT_EQ(bearer(next).decision.reason, "auth.key_unknown") << "its key was taken away";
}

TEST_F(AuthenticationTest, UnknownKeysAskForNewOnesAndNoKeysFailClosed) {
  EXPECT_FALSE(keys_[0]->wanted());
  const auto other = crypto::SigningKey::generate();
  const std::string text = other.sign(R"({"iss":"https://login.example","aud":"shop","sub":"a","exp":1750000300})");
  EXPECT_EQ(bearer(text).decision.reason, "auth.key_unknown");
  EXPECT_TRUE(keys_[0]->take_wanted());
  const std::string strange = other.sign(R"({"iss":"https://evil.example","aud":"shop","sub":"a","exp":1750000300})");
  EXPECT_EQ(bearer(strange).decision.reason, "auth.issuer");
  EXPECT_FALSE(keys_[0]->wanted());

  keys_ = {std::make_shared<IssuerKeys>()};
  api_keys_ = std::make_shared<ApiKeySource>();
  make_layer();
  const Outcome outcome = bearer(token());
  EXPECT_EQ(outcome.decision.reason, "auth.keys_unavailable");
  EXPECT_EQ(outcome.decision.status, 503);
  EXPECT_EQ(ask({{"x-api-key", kSecret}}).decision.reason, "auth.keys_unavailable");
  EXPECT_EQ(ask({{"authorization", held_}}, true).decision.verdict, Verdict::pass) << "a public route stays up";
}

TEST_F(AuthenticationTest, ApiKeysExpire) {
  now_ += 1h - 1s;
  EXPECT_EQ(ask({{"x-api-key", kSecret}}).decision.reason, "");
  now_ += 1s;
  EXPECT_EQ(ask({{"x-api-key", kSecret}}).decision.reason, "auth.expired");
}

TEST_F(AuthenticationTest, ClientCertificates) {
  connection_.certificate_sha256 = kFingerprint;
  connection_.certificate_subject = "CN=billing,OU=ops,OU=fin\\, eu,O=shop.example";
  connection_.certificate_sans = {"dns:billing.local", "uri:spiffe://shop.example/billing"};
  using RolesFrom = ClientCertificatesConfig::RolesFrom;
  struct Case {
    RolesFrom from;
    std::vector<std::string_view> roles;
  };
  const Case cases[] = {{RolesFrom::none, {}},
                        {RolesFrom::san, {"billing.local", "spiffe://shop.example/billing"}},
                        {RolesFrom::subject, {"ops", "fin\\, eu"}}};
  for (const Case& c : cases) {
    config_.authentication.client_certificates->roles_from = c.from;
    make_layer();
    const Outcome outcome = ask({});
    EXPECT_EQ(outcome.principal.method, AuthMethod::client_certificate);
    EXPECT_EQ(outcome.principal.user, "spiffe://shop.example/billing");
    EXPECT_EQ(std::vector<std::string_view>(outcome.principal.roles.begin(), outcome.principal.roles.end()), c.roles);
  }
  EXPECT_EQ(bearer("abc").decision.reason, "auth.malformed") << "a bad token is not made good by a certificate";
  config_.authentication.client_certificates.reset();
  make_layer();
  EXPECT_EQ(ask({}).decision.reason, "auth.missing") << "not configured";
}

TEST_F(AuthenticationTest, ManyThreadsShareTheCache) {
  std::vector<std::string> tokens;
  for (int i = 0; i < 16; ++i) tokens.push_back("Bearer " + token(fmt::format(R"("sub":"user{}")", i)));
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Arena arena;
      for (int round = 0; round < 300; ++round) {
        for (std::size_t i = 0; i < tokens.size(); ++i) {
          arena.reset();
          telemetry::DecisionRecord record;
          Request request(arena, record);
          request.route = &route_;
          request.connection = &connection_;
          request.wall = now_;
          request.message.fields.add("authorization", tokens[i]);
          if (!layer_->decide(request).reason.empty() || request.principal.user != fmt::format("user{}", i)) ++wrong;
        }
      }
    });
  }
  for (int i = 0; i < 20; ++i) keys_[0]->publish(*crypto::KeySet::parse(signer_.public_jwks()));
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// A token for userinfo is no token for a route, and that is no finding about the request.
TEST_F(AuthenticationTest, LeavesCredentialsAtTheProvidersEndpointsToTheProvider) {
  config_.services = {{}, {}};
  config_.services[1].local = LocalTarget::identity;
  route_.services = {{1, 1}};
  for (const std::string& text :
       {"Bearer " + token(), "Bearer " + token(R"("sub":"ann")", -300), std::string("Bearer x.y.z")}) {
    held_ = text;
    const Outcome left = ask({{"authorization", held_}}, true);
    EXPECT_EQ(left.decision.verdict, Verdict::pass) << text;
    EXPECT_EQ(left.decision.reason, "") << text;
    EXPECT_EQ(left.principal.method, AuthMethod::none) << text;
  }
  route_.services = {{0, 1}};
  held_ = "Bearer x.y.z";
  EXPECT_EQ(ask({{"authorization", held_}}, true).decision.reason, "auth.malformed") << "others are judged as before";
}

class IdentityTest : public AuthenticationTest {
 protected:
  http::Fields upstream(std::vector<http::Field> fields, bool is_public = false, std::string_view service = "orders") {
    route_.is_public = is_public;
    arena_.reset();
    Request request(arena_, record_);
    request.config = &config_;
    request.route = &route_;
    request.connection = &connection_;
    request.wall = now_;
    for (const http::Field& field : fields) request.message.fields.add(field.name, field.value);
    layer_->decide(request);
    http::Fields out = request.message.fields;
    if (!identity_) identity_ = std::make_unique<UpstreamIdentity>(config_, internal_);
    identity_->apply(request, service, out);
    return out;
  }
  std::unique_ptr<UpstreamIdentity> identity_;
};

TEST_F(IdentityTest, InboundIdentityIsReplacedAndCredentialsAreRemoved) {
  const std::string good = "Bearer " + token();
  const http::Fields out = upstream({{"authorization", good},
                                     {"x-api-key", kSecret},
                                     {"x-gatehouse-user", "root"},
                                     {"x-gatehouse-anything", "x"},
                                     {"x-gatehouse-identity", "forged"},
                                     {"accept", "*/*"}});
  EXPECT_EQ(out.get("x-gatehouse-user"), "ann");
  EXPECT_EQ(out.get("x-gatehouse-roles"), "customer");
  EXPECT_EQ(out.get("x-gatehouse-scopes"), "orders:read orders:write");
  EXPECT_EQ(out.get("x-gatehouse-auth"), "jwt");
  EXPECT_FALSE(out.has("x-gatehouse-anything"));
  EXPECT_FALSE(out.has("authorization"));
  EXPECT_FALSE(out.has("x-api-key"));
  EXPECT_EQ(out.count("x-gatehouse-identity"), 1U);
  EXPECT_EQ(out.get("accept"), "*/*");

  config_.authentication.forward_credentials = true;
  const http::Fields kept = upstream({{"authorization", good}});
  EXPECT_EQ(kept.get("authorization"), good);
}

TEST_F(IdentityTest, PublicRoutesKeepWhatIsTheServicesOwn) {
  const http::Fields basic = upstream({{"authorization", "Basic YTpi"}, {"x-gatehouse-user", "root"}}, true);
  EXPECT_EQ(basic.get("authorization"), "Basic YTpi");
  EXPECT_EQ(basic.get("x-gatehouse-auth"), "none");
  EXPECT_FALSE(basic.has("x-gatehouse-user"));
  EXPECT_FALSE(basic.has("x-gatehouse-identity"));
  EXPECT_FALSE(upstream({{"authorization", "Bearer abc"}}, true).has("authorization"));
}

TEST_F(IdentityTest, HostileNamesCannotMakeHeaders) {
  const std::string good = "Bearer " + token(R"("sub":"a\r\nx-admin: 1%é","roles":["a,b","c d","e"],"scope":["x y"])");
  const http::Fields out = upstream({{"authorization", good}});
  EXPECT_EQ(out.get("x-gatehouse-user"), "a%0D%0Ax-admin:%201%25%C3%A9");
  EXPECT_EQ(out.get("x-gatehouse-roles"), "a%2Cb,c%20d,e");
  EXPECT_EQ(out.get("x-gatehouse-scopes"), "x%20y");
  for (const http::Field& field : out) EXPECT_TRUE(http::is_field_value(field.value)) << field.name;
}

TEST_F(IdentityTest, TheInternalTokenVerifiesForItsServiceAndIsSignedOnceInHalfItsLife) {
  const std::string good = "Bearer " + token();
  const auto sent = [&](std::string_view service) {
    return std::string(*upstream({{"authorization", good}}, false, service).get("x-gatehouse-identity"));
  };
  const std::string first = sent("orders");
  const auto keys = crypto::KeySet::parse(internal_->public_jwks());
  crypto::UnverifiedJwt parsed;
  crypto::JwtValidity validity;
  ASSERT_EQ(crypto::parse_jwt(first, parsed), crypto::JwtStatus::ok);
  const std::vector<std::string> audience{"orders"}, other{"payments"};
  crypto::JwtExpectation expected{
      .issuer = "shop.example", .audiences = audience, .algorithms = crypto::AlgorithmSet::all(), .leeway = 0s};
  EXPECT_EQ(crypto::verify_jwt(parsed, *keys, expected, now_, validity), crypto::JwtStatus::ok);
  EXPECT_EQ(validity.expires, now_ + 60s);
  expected.audiences = other;
  EXPECT_EQ(crypto::verify_jwt(parsed, *keys, expected, now_, validity), crypto::JwtStatus::audience);
  EXPECT_EQ(parsed.claims.find_string("sub"), "ann");
  EXPECT_EQ(parsed.claims.find_string("idp"), "main");
  EXPECT_EQ(parsed.claims.find_string("scope"), "orders:read orders:write");
  EXPECT_EQ(parsed.claims.find("roles")->size(), 1U);

  EXPECT_EQ(sent("orders"), first);
  EXPECT_NE(sent("payments"), first);
  now_ += 29s;
  EXPECT_EQ(sent("orders"), first);
  now_ += 1s;
  EXPECT_NE(sent("orders"), first);
}

TEST_F(IdentityTest, TheInternalTokenEndsWithWhatItStandsFor) {
  const std::string good = "Bearer " + token(R"("sub":"ann")", -10);  // 20 seconds of leeway are left
  const std::string sent(*upstream({{"authorization", good}}).get("x-gatehouse-identity"));
  crypto::UnverifiedJwt parsed;
  ASSERT_EQ(crypto::parse_jwt(sent, parsed), crypto::JwtStatus::ok);
  EXPECT_EQ(crypto::numeric_date(parsed.claims.find("exp")), now_ + 20s);
}

}  // namespace
}  // namespace gatehouse::gateway
