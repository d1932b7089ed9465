#include "identity/provider/provider.h"

#include <set>

#include "telemetry/log.h"

namespace gatehouse::identity {
namespace {

DiscoveryFacts facts_of(const ProviderOptions& options) {
  DiscoveryFacts facts;
  facts.issuer = options.issuer;
  for (const crypto::JoseAlgorithm algorithm : options.algorithms)
    facts.signing_algorithms.emplace_back(crypto::name_of(algorithm));
  facts.certificates = options.certificates;
  facts.registration = options.registration.who != RegistrationPolicy::Who::nobody;
  return facts;
}

std::optional<crypto::DpopNonces> nonces_of(const ProviderOptions& options, const secrets::Keyring& keyring) {
  if (!options.dpop_nonces) return std::nullopt;
  return crypto::DpopNonces(keyring.derive("DPoP nonces"));
}

// Documents that every client reads now and then, of any origin: they hold nothing but what is public.
WebResponse document(std::string body, std::string_view age) {
  WebResponse response;
  response.body = std::move(body);
  response.add("content-type", "application/json");
  response.add("cache-control", age);
  response.add("access-control-allow-origin", "*");
  return response;
}

// Endpoints that scripts of single-page applications call; never those that a browser navigates to (RFC 9700 §2.6).
bool is_for_scripts(std::string_view path) noexcept {
  return path == "/token" || path == "/userinfo" || path == "/revoke" || path == "/par";
}

WebResponse preflight() {
  WebResponse response;
  response.status = 204;
  response.add("access-control-allow-origin", "*");
  response.add("access-control-allow-methods", "GET, POST");
  response.add("access-control-allow-headers", "authorization, content-type, dpop");
  response.add("access-control-max-age", "600");
  return response;
}

}  // namespace

// No credentials travel by themselves to these endpoints: `*` gives a page nothing that curl would not have.
Provider::Answer Provider::with_fields(Answer response, const WebRequest& request) const {
  if (!response) return response;
  proofs_.add_nonce(request, *response);
  if (!request.origin.empty() && is_for_scripts(request.path)) {
    response->add("access-control-allow-origin", "*");
    response->add("access-control-expose-headers", "www-authenticate, dpop-nonce");
  }
  return response;
}

Provider::Provider(ProviderParts p, ProviderOptions options)
    : options_(std::move(options)),
      discovery_(discovery_document(facts_of(options_))),
      clients_(p.database, p.clock),
      client_keys_(std::move(p.fetch_keys), p.clock),
      used_(p.database),
      keys_(p.database, p.keyring, p.clock, {options_.algorithms, options_.key_rotation}),
      tokens_(keys_, options_.issuer, p.clock),
      grants_(p.database, p.revocations, p.clock),
      devices_(p.database, p.keyring, p.clock),
      pushed_requests_(p.database, p.keyring),
      subjects_(p.keyring),
      authenticator_(clients_, client_keys_, used_, {options_.issuer, options_.issuer + "/token"}),
      proofs_(options_.issuer, used_, nonces_of(options_, p.keyring)),
      registration_(options_.registration, p.database, clients_, p.audit, p.clock),
      token_({authenticator_, proofs_, grants_, devices_, tokens_, p.accounts, p.sessions, subjects_, p.revocations}),
      token_use_({authenticator_, proofs_, clients_, grants_, tokens_, p.accounts, p.revocations}),
      authorize_({p.database, pushed_requests_, clients_, authenticator_, proofs_, grants_, tokens_, subjects_,
                  p.accounts, p.sessions, p.interactions, p.form_tokens, p.screens, p.audit}),
      device_({clients_, authenticator_, devices_, grants_, tokens_, p.accounts, p.sessions, p.interactions,
               p.form_tokens, p.screens, p.audit, p.clock}),
      logout_({clients_, tokens_, subjects_, p.accounts, p.sessions, p.form_tokens, p.screens, p.audit}),
      backchannel_({p.database, clients_, tokens_, subjects_, used_}, std::move(p.send_logout)) {
  p.sessions.other_names([this](std::string_view user_id) { return pairwise_subjects(user_id); });
}

// Their tokens name nobody else: whoever ends all that a user has must end these, too.
Result<std::vector<std::string>> Provider::pairwise_subjects(std::string_view user_id) {
  const auto ids = grants_.clients_of_user(user_id);
  if (!ids) return tl::unexpected(ids.error());
  std::set<std::string> subjects;
  for (const std::string& id : *ids) {
    const auto client = clients_.get(id);  // a disabled one's tokens, too
    if (!client && client.error().code == ErrorCode::not_found) continue;
    if (!client) return tl::unexpected(client.error());
    if (client->settings.pairwise) subjects.insert(subjects_.subject_of(user_id, *client));
  }
  return std::vector<std::string>(subjects.begin(), subjects.end());
}

Provider::~Provider() = default;

Status Provider::start() {
  if (auto done = backchannel_.tick(); !done) return done;
  return keys_.refresh();
}

// Its clients hear of it at once; what fails here comes with the next second.
WebResponse Provider::log_out(const WebRequest& request) {
  WebResponse response = logout_.handle(request);
  if (auto told = backchannel_.tick(); !told)
    GH_LOG(warn, "clients are told of a logout later", {"why", told.error().message});
  return response;
}

Provider::Answer Provider::published(const WebRequest& request) const {
  const bool is_discovery =
      request.path == "/.well-known/openid-configuration" || request.path == "/.well-known/oauth-authorization-server";
  if (!is_discovery && request.path != "/jwks") return std::nullopt;
  if (!request.reads()) return method_not_allowed("GET, HEAD");
  if (is_discovery) return document(discovery_, "public, max-age=300");
  const auto keys = keys_.current();
  if (!keys) return json(503, R"({"error":"temporarily_unavailable"})");
  return document(keys->jwks(), "public, max-age=300");
}

Provider::Answer Provider::at_once(const WebRequest& request) {
  if (auto found = published(request)) return found;
  if (request.method == "OPTIONS" && is_for_scripts(request.path)) return preflight();
  if (request.path == "/token") return with_fields(token_.at_once(request), request);
  if (request.path == "/introspect") return token_use_.introspect_at_once(request);
  if (request.path == "/userinfo") return with_fields(token_use_.userinfo_at_once(request), request);
  return std::nullopt;
}

Provider::Answer Provider::handle(const WebRequest& request) {
  const std::string_view path = request.path;
  if (path == "/authorize") return authorize_.authorize(request);
  if (path == "/consent") return authorize_.consent(request);
  if (path == "/par") return with_fields(authorize_.push(request), request);
  if (path == "/token") return with_fields(token_.handle(request), request);
  if (path == "/introspect") return token_use_.introspect(request);
  if (path == "/revoke") return with_fields(token_use_.revoke(request), request);
  if (path == "/userinfo") return with_fields(token_use_.userinfo(request), request);
  if (path == "/register" && registration_.is_on()) return registration_.handle(request);
  if (path == "/device_authorization") return device_.start(request);
  if (path == "/device") return device_.page(request);
  if (path == "/logout") return log_out(request);
  return std::nullopt;
}

Status Provider::every_second() {
  if (auto followed = keys_.follow(); !followed) return followed;
  return backchannel_.tick();
}

Status Provider::every_minute() {
  if (auto done = keys_.refresh(); !done) return done;
  return grants_.remove_expired();
}

}  // namespace gatehouse::identity
