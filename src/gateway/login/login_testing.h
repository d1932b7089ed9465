#pragma once
// A provider that signs what it is told to, and a gateway's side of it: for the tests of signing in.

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "codec/base64.h"
#include "codec/form.h"
#include "crypto/digest.h"
#include "crypto/signing_key.h"
#include "gateway/layers/authentication/authentication_layer.h"
#include "gateway/layers/authorization/authorization_layer.h"
#include "gateway/layers/sample_request.h"
#include "gateway/login/cookie_sealer.h"
#include "gateway/login/relying_party.h"

namespace gatehouse::gateway {

class FakeRevoked final : public RevokedSessions {
 public:
  bool covers(const LoginName& session, WallTime, WallTime said) const noexcept override {
    return ids.contains(std::string(session.id)) || ids.contains(std::string(session.sid)) ||
           (session.user == revoked_user && said <= revoked_until);
  }
  Status end(const LoginName& session) override {
    ended.push_back(fmt::format("{}/{}", session.sid, session.user));
    if (unavailable) return fail(ErrorCode::unavailable, "no store");
    for (const std::string_view id : {session.id, session.sid}) {
      if (!id.empty()) ids.emplace(id);
    }
    return {};
  }
  std::set<std::string> ids;
  std::vector<std::string> ended;
  std::string revoked_user;
  WallTime revoked_until{};
  bool unavailable = false;
};

// Keys of 32 times the same letter, by id.
inline std::vector<CookieKey> cookie_keys(std::initializer_list<std::pair<std::uint32_t, char>> letters) {
  std::vector<CookieKey> keys;
  for (const auto& [id, letter] : letters) keys.push_back({id, SecretBytes(std::string(32, letter))});
  return keys;
}

class FakeProvider final : public TokenEndpoint {
 public:
  explicit FakeProvider(const Clock& clock) : clock_(clock) {
    auto made = std::make_shared<ProviderMetadata>();
    made->issuer = "https://login.example";
    made->authorization_endpoint = "https://login.example/authorize";
    made->end_session_endpoint = "https://login.example/logout";
    made->names_itself = true;
    made->keys = std::make_shared<IssuerKeys>();
    made->keys->publish(*crypto::KeySet::parse(key.public_jwks()));
    metadata = std::move(made);
  }
  std::shared_ptr<const ProviderMetadata> provider() const override { return metadata; }
  Result<Answer> ask(std::string_view form) override {
    asked.push_back(*codec::Form::parse(form));
    return answer(asked.back());
  }
  std::int64_t now_s() const { return clock_.wall().time_since_epoch() / std::chrono::seconds(1); }
  std::string id_token(std::string_view nonce, std::string_view more = R"("amr":["pwd"])",
                       std::string_view audience = "gatehouse") const {
    return key.sign(
        fmt::format(R"({{"iss":"https://login.example","aud":"{}","sub":"ann","iat":{},"exp":{},"auth_time":{},)"
                    R"("sid":"s-1","roles":["staff"],"nonce":"{}",{}}})",
                    audience, now_s(), now_s() + 300, now_s(), nonce, more));
  }
  static Answer tokens(std::string_view id_token, std::string_view refresh_token = "refresh-1") {
    return {200, fmt::format(R"({{"access_token":"at","token_type":"Bearer","scope":"openid profile","id_token":"{}",)"
                             R"("refresh_token":"{}"}})",
                             id_token, refresh_token)};
  }

  crypto::SigningKey key = crypto::SigningKey::generate();
  std::shared_ptr<const ProviderMetadata> metadata;
  std::function<Result<Answer>(const codec::Form&)> answer;
  std::vector<codec::Form> asked;

 private:
  const Clock& clock_;
};

class LoginTest : public testing::Test {
 protected:
  LoginTest() : provider_(clock_), pool_(std::make_unique<net::WorkerPool>("test", 1, 8)) {
    config_ = sample_config();
    config_.routes[0].access.login = true;
    make();
  }
  // Anew, from config_.
  void make() {
    logins_ = std::make_shared<Logins>(config_.login,
                                       LoginParts{*sealer_, revoked_, provider_, *pool_, *pool_, *pool_, clock_});
    authentication_ = std::make_unique<AuthenticationLayer>(config_, KeySource{}, nullptr, nullptr, logins_);
    authorization_ = std::make_unique<AuthorizationLayer>(logins_);
  }
  // A request of a browser that has these cookies; both layers decide.
  struct Asked {
    std::unique_ptr<SampleRequest> sample;
    Decision decision;
    std::string set_cookie;
    const Principal& who() const { return sample->request.principal; }
  };
  using Fields = std::vector<std::pair<std::string_view, std::string_view>>;
  Asked ask(const Fields& fields, std::string_view method = "GET", std::string_view path = "/orders",
            std::string_view query = {}) {
    Asked asked;
    asked.sample = std::make_unique<SampleRequest>(config_, clock_);
    Request& request = asked.sample->request;
    request.message.method = method;
    request.message.path = path;
    request.message.query = query;
    request.message.has_query = !query.empty();
    for (const auto& [name, value] : fields) request.message.fields.add(name, value);
    if (request.message.fields.has("upgrade")) request.message.upgrade = "websocket";
    asked.decision = authentication_->decide(request);
    if (asked.decision.verdict == Verdict::pass) asked.decision = authorization_->decide(request);
    http::ResponseHead head;
    authentication_->on_response(request, head);
    asked.set_cookie = head.fields.get("set-cookie").value_or("");
    return asked;
  }
  static constexpr std::pair<std::string_view, std::string_view> kNavigate{"sec-fetch-mode", "navigate"};

  static std::string cookie_of(std::string_view set_cookie) {
    return std::string(set_cookie.substr(0, set_cookie.find(';')));
  }
  static codec::Form query_of(std::string_view location) {
    return *codec::Form::parse(location.substr(location.find('?') + 1));
  }
  LocalAnswer call(std::string_view method, std::string_view path, std::string_view query, const Fields& fields,
                   std::string_view authority = "shop.example", std::string_view body = {}) {
    http::Fields all;
    for (const auto& [name, value] : fields) all.add(name, value);
    LocalRequest request;
    request.method = method;
    request.scheme = "https";
    request.authority = authority;
    request.path = path;
    request.query = query;
    request.body = body;
    request.fields = &all;
    request.now = clock_.wall();
    return RelyingParty(logins_).handle(request);
  }
  static std::vector<std::string> all(const LocalAnswer& answer, std::string_view name) {
    std::vector<std::string> values;
    for (const auto& [key, value] : answer.fields) {
      if (key == name) values.push_back(value);
    }
    return values;
  }

  struct Begun {
    std::string cookie, state, nonce;
  };
  Begun begin(std::string_view path = "/orders", std::string_view query = {}, std::string_view cookies = {}) {
    const Asked asked = ask({kNavigate, {"cookie", cookies}}, "GET", path, query);
    EXPECT_EQ(asked.decision.status, 303);
    const auto sent = query_of(asked.decision.location);
    return {cookie_of(asked.set_cookie), std::string(sent.get_or("state", "")), std::string(sent.get_or("nonce", ""))};
  }
  LocalAnswer come_back(const Begun& begun, std::string_view more = "&iss=https%3A%2F%2Flogin.example&code=c1",
                        std::string_view authority = "shop.example") {
    return call("GET", kCallbackPath, "state=" + begun.state + std::string(more), {{"cookie", begun.cookie}},
                authority);
  }
  // The session's cookie, as the browser sends it.
  std::string sign_in(std::string_view claims = R"("amr":["pwd"])", std::string_view refresh_token = "refresh-1") {
    const Begun begun = begin();
    provider_.answer = [&](const codec::Form&) {
      return FakeProvider::tokens(provider_.id_token(begun.nonce, claims), refresh_token);
    };
    const auto cookies = all(come_back(begun), "set-cookie");
    EXPECT_EQ(cookies.size(), 2u);
    provider_.answer = [](const codec::Form&) { return TokenEndpoint::Answer{503, ""}; };  // until the test says else
    return cookies.empty() ? std::string() : cookie_of(cookies[0]);
  }
  void finish_renewals() {  // what was accepted is run before the pool goes
    pool_.reset();
  }

  FakeClock clock_;
  Config config_;
  std::unique_ptr<CookieSealer> sealer_ = std::make_unique<CookieSealer>(cookie_keys({{1, 'k'}}), 1);
  FakeRevoked revoked_;
  FakeProvider provider_;
  std::unique_ptr<net::WorkerPool> pool_;
  std::shared_ptr<Logins> logins_;
  std::unique_ptr<AuthenticationLayer> authentication_;
  std::unique_ptr<AuthorizationLayer> authorization_;
};

}  // namespace gatehouse::gateway
