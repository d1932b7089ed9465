// What is awkward to do from outside: codes and refresh tokens at the edges of their time, families that end as a
// whole, the limits of token exchange, nonces of DpoP over two programs. The rest is in tests/oidc.

#include "identity/provider/provider.h"

#include <gmock/gmock.h>

#include <thread>

#include "crypto/signing_key.h"
#include "identity/provider/provider_testing.h"

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using store::value_of;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kExchange = "urn:ietf:params:oauth:grant-type:token-exchange";
constexpr std::string_view kAccessType = "urn:ietf:params:oauth:token-type:access_token";

codec::Json claims_of(std::string_view jwt) {
  const std::size_t first = jwt.find('.'), second = jwt.find('.', first + 1);
  return codec::Json::parse(*codec::base64url_decode(jwt.substr(first + 1, second - first - 1))).value();
}

TEST_P(ProviderTest, ACodeIsGoodForItsMinuteAndNotLonger) {
  const std::string good = code(), late = code();
  clock.advance(Grants::kCodeLifetime - 1s);
  EXPECT_EQ(redeem(good).status, 200);
  clock.advance(1s);
  EXPECT_EQ(error_of(redeem(late)), "400 invalid_grant");
}

TEST_P(ProviderTest, ACodeThatComesAgainEndsAllThatItGave) {
  const std::string one = code();
  const WebResponse first = redeem(one);
  const std::string access = member(first, "access_token"), refreshed = member(first, "refresh_token");
  ASSERT_TRUE(is_active(access));
  EXPECT_EQ(error_of(redeem(one)), "400 invalid_grant");
  EXPECT_FALSE(is_active(access));
  EXPECT_EQ(error_of(refresh(refreshed)), "400 invalid_grant");
}

TEST_P(ProviderTest, AWrongTryLeavesTheCodeGood) {
  const std::string one = code();
  const std::string other(kVerifier.size(), 'x');
  EXPECT_EQ(error_of(redeem(one, other)), "400 invalid_grant");
  EXPECT_EQ(error_of(redeem(one, kVerifier.substr(1))), "400 invalid_grant") << "shorter than RFC 7636 allows";
  EXPECT_EQ(error_of(redeem(one, kVerifier, "https://app.example/other")), "400 invalid_grant");
  EXPECT_EQ(redeem(one).status, 200);
}

TEST_P(ProviderTest, OneOfManyRedeemsACodeAndTheRestEndIt) {
  for (int round = 0; round < 5; ++round) {
    const std::string one = code();
    std::vector<WebResponse> answers(4);
    std::vector<std::thread> threads;
    for (WebResponse& answer : answers) threads.emplace_back([&] { answer = redeem(one); });
    for (std::thread& thread : threads) thread.join();
    int good = 0;
    for (const WebResponse& answer : answers) {
      good += answer.status == 200;
      if (answer.status != 200) {
        EXPECT_EQ(error_of(answer), "400 invalid_grant");
        continue;
      }
      EXPECT_FALSE(is_active(member(answer, "access_token"))) << "it was used again, so it is revoked";
    }
    EXPECT_LE(good, 1);
  }
}

TEST_P(ProviderTest, ReplayOfARefreshTokenEndsTheFamily) {
  const std::string first = member(redeem(code()), "refresh_token");
  const WebResponse second = refresh(first), third = refresh(member(second, "refresh_token"));
  ASSERT_EQ(third.status, 200);
  ASSERT_TRUE(is_active(member(third, "access_token")));
  EXPECT_EQ(error_of(refresh(first)), "400 invalid_grant");
  EXPECT_EQ(error_of(refresh(member(third, "refresh_token"))), "400 invalid_grant");
  for (const WebResponse* one : {&second, &third}) EXPECT_FALSE(is_active(member(*one, "access_token")));
}

TEST_P(ProviderTest, ScopesAndResourcesOnlyNarrow) {
  const std::string first = member(redeem(code({}, {"openid", "orders", "offline_access"})), "refresh_token");
  codec::FormWriter wider = as_client("refresh_token"), narrower = as_client("refresh_token");
  EXPECT_EQ(error_of(token(wider.add("refresh_token", first).add("scope", "openid email"))), "400 invalid_scope");
  EXPECT_EQ(
      error_of(token(as_client("refresh_token").add("refresh_token", first).add("resource", "https://orders.example"))),
      "400 invalid_target");
  const WebResponse narrow = token(narrower.add("refresh_token", first).add("scope", "orders"));
  EXPECT_EQ(member(narrow, "scope"), "orders");
  EXPECT_EQ(member(narrow, "id_token"), "") << "openid was not asked for";
  EXPECT_EQ(member(refresh(member(narrow, "refresh_token")), "scope"), "openid orders offline_access")
      << "the grant is what it was";
}

TEST_P(ProviderTest, AnAccountThatIsDisabledGetsNothingMore) {
  const std::string one = code(), first = member(redeem(code()), "refresh_token");
  expect_ok(gateway->accounts.set_state(user->id, UserState::disabled));
  EXPECT_EQ(error_of(redeem(one)), "400 invalid_grant");
  EXPECT_EQ(error_of(refresh(first)), "400 invalid_grant");
}

TEST_P(ProviderTest, ParametersThatComeTwiceOrSayTwoThings) {
  const std::string body = as_client("client_credentials").text();
  EXPECT_EQ(error_of(send("POST", "/token", body + "&grant_type=refresh_token", basic())), "400 invalid_request");
  EXPECT_EQ(error_of(send("POST", "/token", body + "&client_secret=" + secret, basic())), "400 invalid_request");
  EXPECT_EQ(error_of(send("POST", "/token", body + "&client_id=other", basic())), "401 invalid_client");
  EXPECT_EQ(error_of(send("POST", "/token", body + "&scope=%ff", basic())), "400 invalid_request");
  EXPECT_EQ(error_of(send("POST", "/token", body + "&x=" + std::string(kParameterBytesMax + 1, 'x'), basic())),
            "400 invalid_request");
  EXPECT_EQ(error_of(send("POST", "/token", body, basic(), "application/json")), "400 invalid_request");
  EXPECT_EQ(
      send("POST", "/token", body + "&resource=https://orders.example&resource=https://stock.example", basic()).status,
      200)
      << "RFC 8707 lets it come twice";
}

TEST_P(ProviderTest, ExchangedTokensAreNeverWiderNorLonger) {
  GrantRequest request;
  const WebResponse given = redeem(code(request, {"openid", "orders"}));
  const std::string subject = member(given, "access_token");
  const auto exchange = [&](const std::string& more) {
    codec::FormWriter form = as_client(kExchange);
    form.add("subject_token", subject).add("subject_token_type", kAccessType);
    return send("POST", "/token", form.text() + more, basic());
  };
  EXPECT_EQ(error_of(exchange("")), "400 invalid_target") << "for whom?";
  EXPECT_EQ(error_of(exchange("&audience=https://other.example")), "400 invalid_target");
  EXPECT_EQ(error_of(exchange("&audience=https://stock.example&scope=orders%20email")), "400 invalid_scope");
  EXPECT_EQ(error_of(exchange("&audience=https://stock.example&actor_token=x&actor_token_type=y")),
            "400 invalid_request");
  clock.advance(400s);
  const WebResponse narrow = exchange("&audience=https://stock.example&scope=orders");
  ASSERT_EQ(narrow.status, 200) << narrow.body;
  const codec::Json before = claims_of(subject), after = claims_of(member(narrow, "access_token"));
  EXPECT_EQ(after.find_string("sub"), user->id);
  EXPECT_EQ(after.find_string("aud"), "https://stock.example");
  EXPECT_EQ(after.find_string("scope"), "orders");
  EXPECT_EQ(after.find("act")->find_string("sub"), "app");
  EXPECT_EQ(after.find("exp")->integer(), before.find("exp")->integer());
  // What ends the one ends the other.
  codec::FormWriter revoke;
  ASSERT_TRUE(is_active(member(narrow, "access_token")));
  expect_ok(world->provider.grants().revoke_by_client_and_user("app", user->id));
  expect_ok(world->revocations.refresh());
  EXPECT_FALSE(is_active(member(narrow, "access_token")));
  EXPECT_EQ(error_of(exchange("&audience=https://stock.example")), "400 invalid_request");
}

TEST_P(ProviderTest, AnExchangeNeedsTheCertificateThatTheTokenIsBoundTo) {
  auto client = value_of(world->provider.clients().find("app"));
  ClientSettings settings = client->settings;
  settings.certificate_bound = true;
  expect_ok(world->provider.clients().change("app", "App", settings));
  certificate = std::string(64, 'a');
  const std::string bound = member(redeem(code({}, {"openid", "orders"})), "access_token");
  EXPECT_NE(claims_of(bound).find("cnf"), nullptr);
  settings.certificate_bound = false;  // what it gets is bound no more, what it has is
  expect_ok(world->provider.clients().change("app", "App", settings));
  const auto exchange = [&] {
    codec::FormWriter form = as_client(kExchange);
    form.add("subject_token", bound).add("subject_token_type", kAccessType).add("audience", "https://stock.example");
    return token(form);
  };
  const WebResponse exchanged = exchange();
  ASSERT_EQ(exchanged.status, 200) << exchanged.body;
  const codec::Json before = claims_of(bound), after = claims_of(member(exchanged, "access_token"));
  ASSERT_NE(after.find("cnf"), nullptr) << "what was bound stays bound";
  EXPECT_EQ(after.find("cnf")->find_string("x5t#S256"), before.find("cnf")->find_string("x5t#S256"));
  for (const std::string& other : {std::string(64, 'b'), std::string()}) {
    certificate = other;
    EXPECT_EQ(error_of(exchange()), "400 invalid_request") << other;
  }
}

TEST_P(ProviderTest, TokensThatNameAPairwiseSubjectEndWithTheRest) {
  auto client = value_of(world->provider.clients().find("app"));
  ClientSettings settings = client->settings;
  settings.pairwise = true;
  expect_ok(world->provider.clients().change("app", "App", settings));
  const std::string before = member(redeem(code()), "access_token");
  ASSERT_NE(claims_of(before).find_string("sub"), user->id);
  ASSERT_TRUE(is_active(before));
  clock.advance(1s);
  value_of(world->sessions.end_all(gateway->add("bob")->id));
  EXPECT_TRUE(is_active(before)) << "another user's end";
  value_of(world->sessions.end_all(user->id));
  EXPECT_FALSE(is_active(before));
  clock.advance(1s);
  EXPECT_TRUE(is_active(member(redeem(code()), "access_token"))) << "what is given later is good";
}

TEST_P(ProviderTest, TheStoreGoneIsSaidAndNothingIsUsedUp) {
  const std::string one = code(), access = member(redeem(code()), "access_token");
  gateway->database.gone = true;
  EXPECT_EQ(error_of(redeem(one)), "503 temporarily_unavailable");
  EXPECT_TRUE(is_active(access)) << "tokens that were given go on";
  EXPECT_EQ(send("POST", "/token", as_client("client_credentials").text(), basic()).status, 200);
  gateway->database.gone = false;
  EXPECT_EQ(redeem(one).status, 200);
}

// DPoP nonces

class DpopNonceTest : public ProviderTest {
 protected:
  void SetUp() override {
    ProviderTest::SetUp();
    if (gateway) restart(with_nonces());
  }
  static ProviderOptions with_nonces() {
    ProviderOptions options;
    options.dpop_nonces = true;
    return options;
  }
  std::string proof(std::string_view method, std::string_view path, std::string_view nonce, std::string_view ath = {}) {
    std::string claims = fmt::format(R"({{"jti":"{}","htm":"{}","htu":"{}{}","iat":{})", ++proofs_, method, kIssuer,
                                     path, seconds_of(clock.wall()));
    if (!nonce.empty()) claims += fmt::format(R"(,"nonce":"{}")", nonce);
    if (!ath.empty()) claims += fmt::format(R"(,"ath":"{}")", crypto::dpop_token_digest(ath));
    const std::string header = fmt::format(R"({{"typ":"dpop+jwt","alg":"ES256","jwk":{}}})", key_.public_jwk());
    const std::string input = codec::base64url_encode(header) + "." + codec::base64url_encode(claims + "}");
    return input + "." + codec::base64url_encode(key_.signature_of(input));
  }
  static std::string nonce_of(const WebResponse& response) {
    for (const auto& [name, value] : response.fields) {
      if (name == "dpop-nonce") return value;
    }
    return {};
  }
  WebResponse machine_token(std::string_view nonce) {
    dpop = proof("POST", "/token", nonce);
    return token(as_client("client_credentials"));
  }
  const crypto::SigningKey key_ = crypto::SigningKey::generate();
  int proofs_ = 0;
};

TEST_P(DpopNonceTest, AProofNeedsANonceOfOurs) {
  const WebResponse first = machine_token({});
  EXPECT_EQ(error_of(first), "400 use_dpop_nonce");
  const std::string nonce = nonce_of(first);
  ASSERT_FALSE(nonce.empty());
  EXPECT_EQ(error_of(machine_token("invented")), "400 use_dpop_nonce");
  const WebResponse second = machine_token(nonce);
  EXPECT_EQ(second.status, 200) << second.body;
  EXPECT_EQ(nonce_of(second), nonce) << "for the next proof (RFC 9449 §8.2)";
  dpop.clear();
  const WebResponse without = token(as_client("client_credentials"));
  EXPECT_EQ(without.status, 200) << "who sends no proof needs none";
  EXPECT_EQ(nonce_of(without), "");
}

TEST_P(DpopNonceTest, AnotherProgramAcceptsItUntilItIsTwoStepsOld) {
  const std::string nonce = nonce_of(machine_token({}));
  restart(with_nonces());
  EXPECT_EQ(machine_token(nonce).status, 200);
  clock.advance(2min);
  const WebResponse later = machine_token(nonce);
  EXPECT_EQ(later.status, 200);
  EXPECT_NE(nonce_of(later), nonce) << "a fresh one comes with it";
  clock.advance(2min);
  EXPECT_EQ(error_of(machine_token(nonce)), "400 use_dpop_nonce");
}

TEST_P(DpopNonceTest, AtUserinfoTheChallengeSaysSo) {
  const std::string one = code();
  dpop = proof("POST", "/token", nonce_of(machine_token({})));
  const std::string access = member(redeem(one), "access_token");
  ASSERT_FALSE(access.empty());
  const auto use = [&](std::string_view nonce) {
    dpop = proof("GET", "/userinfo", nonce, access);
    return send("GET", "/userinfo", {}, "DPoP " + access);
  };
  const WebResponse first = use({});
  EXPECT_EQ(first.status, 401);
  EXPECT_THAT(first.fields, testing::Contains(testing::Pair("www-authenticate",
                                                            testing::StartsWith("DPoP error=\"use_dpop_nonce\""))));
  EXPECT_EQ(use(nonce_of(first)).status, 200);
}

TEST_P(DpopNonceTest, WhereNoneIsDemandedNoneIsGiven) {
  restart({});
  const WebResponse plain = machine_token({});
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(nonce_of(plain), "");
}

// Registration

class RegistrationEndpointTest : public ProviderTest {
 protected:
  using Who = RegistrationPolicy::Who;
  void open(Who who) {
    ProviderOptions options;
    options.registration = {who, SecretBytes(std::string_view("0123456789abcdef"))};
    restart(std::move(options));
  }
  WebResponse registered(const std::string& metadata, std::string_view authorization = {}) {
    address = IpAddress::v4(0x0a000000U + ++calls_);  // each its own: what is slowed down has a test of its own
    return send("POST", "/register", metadata, authorization, "application/json");
  }
  std::uint32_t calls_ = 100;
};

constexpr char kPlain[] = R"({"redirect_uris":["https://a.example/cb"],"client_name":"A","contacts":["a@b"],"x":{}})";

TEST_P(RegistrationEndpointTest, IsOffUnlessToldOtherwise) {
  EXPECT_EQ(registered(kPlain).status, 404);
  EXPECT_THAT(send("GET", "/.well-known/openid-configuration").body, Not(HasSubstr("registration_endpoint")));
  open(Who::anybody);
  EXPECT_THAT(send("GET", "/.well-known/openid-configuration").body,
              HasSubstr(R"("registration_endpoint":"https://login.example/register")"));
}

TEST_P(RegistrationEndpointTest, AClientThatRegistersIsAPlainOne) {
  open(Who::anybody);
  const WebResponse answer = registered(kPlain);
  ASSERT_EQ(answer.status, 201) << answer.body;
  EXPECT_THAT(answer.fields, testing::Contains(testing::Pair("cache-control", "no-store")));
  const auto said = codec::Json::parse(answer.body);
  EXPECT_EQ(said->find("client_secret_expires_at")->integer(), 0);
  EXPECT_EQ(said->find_string("token_endpoint_auth_method"), "client_secret_basic");
  EXPECT_EQ(said->find("first_party"), nullptr);
  const Client client = value_of(world->provider.clients().get(*said->find_string("client_id")));
  EXPECT_EQ(client.name, "A");
  EXPECT_TRUE(client.settings.self_registered);
  EXPECT_TRUE(client.settings.require_pkce);
  EXPECT_FALSE(client.settings.first_party);
  EXPECT_EQ(client.settings.grants, std::vector{GrantType::authorization_code});
  EXPECT_EQ(client.settings.scopes, std::vector<std::string>{"openid"});
  const std::string used =
      "Basic " + codec::base64_encode(client.id + ":" + std::string(*said->find_string("client_secret")));
  EXPECT_EQ(error_of(send("POST", "/token", "grant_type=client_credentials", used)), "400 unauthorized_client");
  EXPECT_EQ(error_of(send("POST", "/token", "grant_type=authorization_code&code=x", used)), "400 invalid_grant");
  const auto events = value_of(world->audit.list({.target = "client:" + client.id}));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].action, "client.register");
}

TEST_P(RegistrationEndpointTest, WhatIsRefused) {
  struct Case {
    const char* name;
    std::string metadata;
    const char* with_token;  // the error; empty: taken
    const char* open;
  };
  const std::string uri = R"("redirect_uris":["https://a.example/cb"])";
  const char* bad = "400 invalid_client_metadata";
  const char* bad_uri = "400 invalid_redirect_uri";
  const Case cases[] = {
      {"not JSON", "x", bad, bad},
      {"a list", "[]", bad, bad},
      {"a member twice", "{" + uri + "," + uri + "}", bad, bad},
      {"no redirect URI", "{}", bad, bad},
      {"plain http", R"({"redirect_uris":["http://a.example/cb"]})", bad_uri, bad_uri},
      {"a fragment", R"({"redirect_uris":["https://a.example/cb#x"]})", bad_uri, bad_uri},
      {"a wildcard", R"({"redirect_uris":["https://*.example/cb"]})", bad_uri, bad_uri},
      {"script", R"({"redirect_uris":["javascript:alert`1`"]})", bad_uri, bad_uri},
      {"bad logout URI", "{" + uri + R"(,"post_logout_redirect_uris":["http://a.example/"]})", bad_uri, bad_uri},
      {"no list", R"({"redirect_uris":"https://a.example/cb"})", bad, bad},
      {"implicit flow", "{" + uri + R"(,"response_types":["token"]})", bad, bad},
      {"unknown grant", "{" + uri + R"(,"grant_types":["password"]})", bad, bad},
      {"exchange", "{" + uri + R"(,"grant_types":["urn:ietf:params:oauth:grant-type:token-exchange"]})", bad, bad},
      {"a long name", "{" + uri + R"(,"client_name":")" + std::string(81, 'x') + "\"}", bad, bad},
      {"a name that turns the text", "{" + uri + ",\"client_name\":\"a\xe2\x80\xae\"}", bad, bad},
      {"private key",
       "{" + uri + R"(,"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[)" +
           R"({"kty":"oct","k":"AAAA"}]}})",
       bad, bad},
      {"keys that are text", "{" + uri + R"(,"jwks":"{}"})", bad, bad},
      {"loopback", R"({"redirect_uris":["http://127.0.0.1/cb"],"token_endpoint_auth_method":"none"})", "", ""},
      {"first party and roles are nobody's to ask for", "{" + uri + R"(,"first_party":true,"roles":["admin"]})", "",
       ""},
      {"without PKCE", "{" + uri + R"(,"require_pkce":false,"mfa":false})", "", ""},
      {"machine", "{" + uri + R"(,"grant_types":["client_credentials"]})", "", bad},
      {"device", R"({"grant_types":["urn:ietf:params:oauth:grant-type:device_code"]})", "", bad},
      {"own scope", "{" + uri + R"(,"scope":"openid orders"})", "", bad},
      {"an address of its own", "{" + uri + R"(,"backchannel_logout_uri":"https://10.0.0.1/x"})", "", bad},
      {"keys at an address",
       "{" + uri + R"(,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"https://10.0.0.1/x"})", "", bad},
      {"keys over http",
       "{" + uri + R"(,"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"http://a.example/x"})", bad, bad},
  };
  for (const Who who : {Who::token, Who::anybody}) {
    open(who);
    for (const Case& c : cases) {
      const WebResponse answer = registered(c.metadata, "Bearer 0123456789abcdef");
      const std::string wanted = who == Who::token ? c.with_token : c.open;
      EXPECT_EQ(answer.status == 201 ? "" : error_of(answer), wanted) << c.name << answer.body;
    }
  }
  for (const Client& client : value_of(world->provider.clients().list(1000))) {
    if (client.id == "app") continue;
    EXPECT_FALSE(client.settings.first_party);
    EXPECT_TRUE(client.settings.roles.empty());
    EXPECT_TRUE(client.settings.require_pkce);
  }
}

TEST_P(RegistrationEndpointTest, TheTokenIsNeeded) {
  open(Who::token);
  for (const char* authorization : {"", "Bearer", "Bearer ", "Bearer 0123456789abcdeF", "Basic 0123456789abcdef"}) {
    const WebResponse answer = registered(kPlain, authorization);
    EXPECT_EQ(error_of(answer), "401 invalid_token") << authorization;
    EXPECT_EQ(answer.credentials, WebResponse::Credentials::failed);
  }
  EXPECT_EQ(registered(kPlain, "bearer 0123456789abcdef").status, 201);
}

TEST_P(RegistrationEndpointTest, IsSlowedDownByAddress) {
  open(Who::anybody);
  int taken = 0;
  while (send("POST", "/register", kPlain, {}, "application/json").status == 201) ++taken;
  EXPECT_EQ(taken, 5);
  EXPECT_EQ(send("POST", "/register", kPlain, {}, "application/json").status, 429);
  EXPECT_EQ(registered(kPlain).status, 201) << "from elsewhere";
}

GH_ON_EVERY_STORE(ProviderTest);
GH_ON_EVERY_STORE(DpopNonceTest);
GH_ON_EVERY_STORE(RegistrationEndpointTest);

}  // namespace
}  // namespace gatehouse::identity
