#include "identity/provider/registration_endpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "crypto/digest.h"
#include "identity/provider/claims.h"
#include "identity/seconds.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

using codec::Json;
using Who = RegistrationPolicy::Who;

constexpr std::string_view kMetadata = "invalid_client_metadata";
constexpr std::size_t kBodyMax = 64 * 1024, kNameMax = 80;

// What of RFC 7591 §2 and its extensions a client may say of itself.
constexpr std::string_view kMembers[] = {"redirect_uris",
                                         "post_logout_redirect_uris",
                                         "token_endpoint_auth_method",
                                         "grant_types",
                                         "scope",
                                         "id_token_signed_response_alg",
                                         "subject_type",
                                         "logo_uri",
                                         "client_uri",
                                         "policy_uri",
                                         "tos_uri",
                                         "jwks_uri",
                                         "backchannel_logout_uri",
                                         "default_max_age",
                                         "require_pushed_authorization_requests",
                                         "dpop_bound_access_tokens",
                                         "tls_client_certificate_bound_access_tokens",
                                         "tls_client_auth_subject_dn"};

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) noexcept {
  return std::find(names.begin(), names.end(), name) != names.end();
}

auto refuse(std::string why) { return oauth_error(kMetadata, std::move(why)); }

// The members that are known, as settings_from_json takes them; `jwks` is text there and an object here.
OAuthResult<ClientSettings> settings_of(const Json& metadata, std::string_view body) {
  std::vector<std::string> names;
  std::vector<Json> values;
  for (std::size_t i = 0; i < metadata.size(); ++i) {
    if (std::find(std::begin(kMembers), std::end(kMembers), metadata.name(i)) == std::end(kMembers)) continue;
    if (metadata.value(i).kind() == Json::Kind::null) continue;
    names.emplace_back(metadata.name(i));
    values.push_back(metadata.value(i));
  }
  if (const Json* jwks = metadata.find("jwks"); jwks != nullptr) {
    if (!jwks->is_object()) return refuse("jwks: must be a JSON Web Key Set");
    const auto whole = nlohmann::json::parse(body, nullptr, false);
    if (whole.is_discarded()) return refuse("not JSON");
    names.emplace_back("jwks");
    values.push_back(Json::of(whole["jwks"].dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
  }
  auto settings = settings_from_json(Json::object(std::move(names), std::move(values)));
  if (!settings) return refuse(settings.error().message);
  return std::move(*settings);
}

OAuthResult<void> check_for_anybody(const ClientSettings& settings) {
  for (const GrantType grant : settings.grants) {
    if (grant != GrantType::authorization_code && grant != GrantType::refresh_token)
      return refuse(fmt::format("grant_types: {} is not for clients that register without a token", name_of(grant)));
  }
  for (const std::string& scope : settings.scopes) {
    if (std::find(std::begin(kStandardScopes), std::end(kStandardScopes), scope) == std::end(kStandardScopes))
      return refuse("scope: only the standard scopes are for clients that register without a token");
  }
  if (!settings.jwks_uri.empty() || !settings.backchannel_logout_uri.empty())
    return refuse("jwks_uri and backchannel_logout_uri are not for clients that register without a token: send jwks");
  if (!is_one_of(name_of(settings.auth), {"none", "client_secret_basic", "client_secret_post", "private_key_jwt"}))
    return refuse("token_endpoint_auth_method: not for clients that register without a token");
  return {};
}

// RFC 7591 §3.2.1: all that was registered, as it was registered.
std::string answer_of(const CreatedClient& created) {
  auto j = nlohmann::json::parse(to_json(created.client.settings));
  for (const char* own : {"first_party", "mfa", "require_pkce", "session_refresh", "access_token_seconds",
                          "refresh_token_seconds", "self_registered"})
    j.erase(own);
  if (j.contains("jwks")) j["jwks"] = nlohmann::json::parse(j["jwks"].get<std::string>());
  j["response_types"] = {"code"};
  j["client_id"] = created.client.id;
  j["client_name"] = created.client.name;
  j["client_id_issued_at"] = seconds_of(created.client.created);
  if (!created.secret.empty()) {
    j["client_secret"] = created.secret;
    j["client_secret_expires_at"] = 0;  // never
  }
  return j.dump();
}

bool is_bearer(std::string_view authorization, const SecretBytes& token) {
  constexpr std::string_view kBearer = "bearer ";
  if (authorization.size() <= kBearer.size() ||
      ascii_lower(authorization.substr(0, kBearer.size())) != std::string(kBearer))
    return false;
  return crypto::equal_in_constant_time(authorization.substr(kBearer.size()), token.expose());
}

}  // namespace

RegistrationEndpoint::RegistrationEndpoint(RegistrationPolicy policy, store::Database& database, Clients& clients,
                                           AuditTrail& audit, const Clock& clock)
    : policy_(std::move(policy)), database_(database), clients_(clients), audit_(audit), throttle_(clock, {}) {}

OAuthResult<void> RegistrationEndpoint::admit(const WebRequest& request, const ThrottleKey& key) {
  if (throttle_.ask(key).verdict == ThrottleDecision::Verdict::wait)
    return oauth_error("temporarily_unavailable", "too many registrations: try again later", 429);
  // Each counts, and none is forgiven: a client is registered once.
  throttle_.failed(key);
  if (policy_.who == Who::token && !is_bearer(request.authorization, policy_.token)) {
    OAuthError error{"invalid_token", "registration needs its token", 401};
    error.challenge = R"(Bearer error="invalid_token")";
    return tl::unexpected(std::move(error));
  }
  return {};
}

OAuthResult<NewClient> RegistrationEndpoint::read(std::string_view body) const {
  const auto metadata = Json::parse(body, {.bytes_max = kBodyMax});
  if (!metadata || !metadata->is_object()) return refuse("the body must be a JSON object");
  NewClient wanted;
  wanted.name = metadata->find_string("client_name").value_or("");
  if (!is_plain_text(wanted.name, kNameMax)) return refuse("client_name: text of at most 80 bytes");
  if (const Json* types = metadata->find("response_types")) {
    if (types->size() != 1 || types->items()[0].string() != "code") return refuse("response_types: must be [code]");
  }
  auto settings = settings_of(*metadata, body);
  if (!settings) return tl::unexpected(std::move(settings.error()));
  settings->self_registered = true;
  for (const auto* uris : {&settings->redirect_uris, &settings->post_logout_redirect_uris}) {
    for (const std::string& uri : *uris) {
      if (auto good = check_redirect_uri(uri); !good) return oauth_error("invalid_redirect_uri", good.error().message);
    }
  }
  if (std::find(settings->grants.begin(), settings->grants.end(), GrantType::token_exchange) != settings->grants.end())
    return refuse("grant_types: token exchange is given by the operator");
  if (policy_.who == Who::anybody) {
    if (auto good = check_for_anybody(*settings); !good) return tl::unexpected(std::move(good.error()));
  }
  wanted.settings = std::move(*settings);
  return wanted;
}

OAuthResult<void> RegistrationEndpoint::check_room() {
  const auto count =
      database_.run("SELECT COUNT(*) FROM clients WHERE settings LIKE $1", {R"(%"self_registered":true%)"});
  if (!count) return temporarily_unavailable(count.error());
  if ((*count->first())[0].integer() < kClientsMax) return {};
  return oauth_error("temporarily_unavailable", "no more clients can be registered", 503);
}

WebResponse RegistrationEndpoint::handle(const WebRequest& request) {
  if (!request.is_post()) return method_not_allowed("POST");
  const std::string account = "register " + request.client_ip.to_string();
  const ThrottleKey key{account, request.client_ip, {}};
  if (auto admitted = admit(request, key); !admitted) {
    WebResponse response = to_response(admitted.error());
    if (response.status == 401) response.credentials = WebResponse::Credentials::failed;
    return response;
  }
  if (request.content_type.substr(0, request.content_type.find(';')) != "application/json")
    return to_response({kMetadata, "the body must be application/json"});
  auto wanted = read(request.body);
  if (!wanted) return to_response(wanted.error());
  if (auto room = check_room(); !room) return to_response(room.error());
  const auto created = clients_.create(std::move(*wanted));
  if (!created && created.error().code == ErrorCode::invalid) return to_response({kMetadata, created.error().message});
  if (!created) return to_response(temporarily_unavailable(created.error()).value());
  audit_.record("system", "client.register", "client:" + created->client.id, Outcome::ok,
                {{"name", created->client.name},
                 {"address", request.client_ip.to_string()},
                 {"with_token", policy_.who == Who::token ? "yes" : "no"}},
                request.request_id);
  WebResponse response = json(201, answer_of(*created));
  response.add("pragma", "no-cache");
  response.client = created->client.id;
  return response;
}

}  // namespace gatehouse::identity
