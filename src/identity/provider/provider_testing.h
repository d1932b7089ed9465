#pragma once
// A provider over a real store, with a client and its requests: for the tests of its endpoints.

#include "codec/base64.h"
#include "codec/form.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "identity/identity_testing.h"
#include "identity/provider/provider.h"
#include "identity/seconds.h"

namespace gatehouse::identity {

class NoScreens final : public Screens {
 public:
  WebResponse consent(const WebRequest&, const ConsentScreen&) override { return html(200, "consent"); }
  WebResponse device(const WebRequest&, const DeviceScreen&) override { return html(200, "device"); }
  WebResponse confirm_logout(const WebRequest&, const LogoutScreen&) override { return html(200, "logout"); }
  WebResponse signed_out(const WebRequest&) override { return html(200, "signed out"); }
  WebResponse form_post(const WebRequest&, std::string_view,
                        const std::vector<std::pair<std::string, std::string>>&) override {
    return html(200, "form");
  }
  WebResponse error(const WebRequest&, int status, std::string_view code, std::string_view) override {
    return html(status, std::string(code));
  }
};

class ProviderTest : public StoreTest {
 protected:
  static constexpr std::string_view kIssuer = "https://login.example";
  static constexpr std::string_view kVerifier = "0123456789012345678901234567890123456789012";
  static constexpr std::string_view kRedirect = "https://app.example/cb";

  struct World {
    World(Gateway& g, OneKey& keyring, const Clock& clock, ProviderOptions options)
        : revocations(g.database, clock),
          sessions(g.database, g.accounts, revocations, clock, {}),
          interactions(g.database, keyring, clock),
          form_tokens(keyring),
          audit(g.database, keyring, clock),
          provider({g.database, keyring, g.accounts, sessions, interactions, form_tokens, revocations, audit, screens,
                    [](const std::string&, const std::string&) {}, clock},
                   std::move(options)) {
      expect_ok(provider.start());
    }
    Revocations revocations;
    Sessions sessions;
    Interactions interactions;
    FormTokens form_tokens;
    AuditTrail audit;
    NoScreens screens;
    Provider provider;
  };

  void SetUp() override {
    StoreTest::SetUp();
    if (!gateway) return;
    user = gateway->add("alice");
    restart({});
    ClientSettings settings;
    settings.grants = {GrantType::authorization_code, GrantType::refresh_token, GrantType::client_credentials,
                       GrantType::token_exchange};
    settings.redirect_uris = {std::string(kRedirect)};
    settings.scopes = {"openid", "offline_access", "orders"};
    settings.audiences = {"https://orders.example", "https://stock.example"};
    settings.own_audiences = {"https://orders.example"};
    auto created = store::value_of(world->provider.clients().create({"app", "App", settings}));
    secret = created.secret;
  }
  // Another program over the same store.
  void restart(ProviderOptions options) {
    options.issuer = kIssuer;
    options.algorithms = {crypto::JoseAlgorithm::es256};
    world = std::make_unique<World>(*gateway, keyring, clock, std::move(options));
  }

  WebResponse send(std::string_view method, std::string_view path, const std::string& body = {},
                   std::string_view authorization = {}, std::string_view type = "application/x-www-form-urlencoded") {
    WebRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    request.authorization = authorization;
    if (method == "POST") request.content_type = type;
    request.dpop = dpop;
    request.dpop_count = dpop.empty() ? 0 : 1;
    request.client_ip = address;
    request.certificate_sha256 = certificate;
    request.request_id = "request-1";
    request.now = clock.wall();
    if (auto answer = world->provider.at_once(request)) return std::move(*answer);
    return world->provider.handle(request).value_or(json(404, "{}"));
  }
  codec::FormWriter as_client(std::string_view grant_type) const {
    codec::FormWriter form;
    form.add("grant_type", grant_type);
    return form;
  }
  std::string basic() const { return "Basic " + codec::base64_encode("app:" + secret); }
  WebResponse token(const codec::FormWriter& form) { return send("POST", "/token", form.text(), basic()); }

  static std::string member(const WebResponse& response, std::string_view name) {
    const auto json = codec::Json::parse(response.body);
    return json ? std::string(json->find_string(name).value_or("")) : std::string();
  }
  static std::string error_of(const WebResponse& response) {
    return std::to_string(response.status) + " " + member(response, "error");
  }

  // A code for alice, as the authorization endpoint gives it.
  std::string code(GrantRequest request = {}, std::vector<std::string> scopes = {"openid", "offline_access"}) {
    Grant grant;
    grant.client_id = "app";
    grant.user_id = user->id;
    grant.scopes = std::move(scopes);
    grant.offline = true;
    if (request.redirect_uri.empty()) request.redirect_uri = kRedirect;
    if (request.code_challenge.empty())
      request.code_challenge = codec::base64url_encode(crypto::as_text(crypto::sha256(kVerifier)));
    request.authentication.time_s = seconds_of(clock.wall());
    request.authentication.amr = "pwd";
    Grants& grants = world->provider.grants();
    return store::value_of(grants.issue_code(store::value_of(grants.begin(grant, Grants::kLifetime)), request));
  }
  WebResponse redeem(std::string_view code, std::string_view verifier = kVerifier,
                     std::string_view redirect = kRedirect) {
    codec::FormWriter form = as_client("authorization_code");
    form.add("code", code).add("code_verifier", verifier).add("redirect_uri", redirect);
    return token(form);
  }
  WebResponse refresh(std::string_view refresh_token) {
    return token(as_client("refresh_token").add("refresh_token", refresh_token));
  }
  bool is_active(std::string_view access_token) {
    codec::FormWriter form;
    return send("POST", "/introspect", form.add("token", access_token).text(), basic()).body.find(R"("active":true)") !=
           std::string::npos;
  }

  UserPtr user;
  std::string secret, dpop, certificate;
  IpAddress address = IpAddress::v4(0x0a000001);
  std::unique_ptr<World> world;
};

}  // namespace gatehouse::identity
