#include "gateway/layers/authentication/authentication_layer.h"

#include "base/check.h"
#include "crypto/jwt.h"
#include "gateway/evidence.h"
#include "gateway/layers/authentication/claims.h"
#include "gateway/login/logins.h"
#include "gateway/login/same_origin.h"

namespace gatehouse::gateway {
namespace {

// RFC 6750 §3: without a credential no error code; with a bad one no detail that would help to make a better one.
constexpr std::string_view kChallengeMissing = "Bearer";
constexpr std::string_view kChallengeInvalid = "Bearer error=\"invalid_token\"";

Decision refuse(std::string_view reason, std::string_view evidence) {
  return {.verdict = Verdict::deny,
          .reason = reason,
          .evidence = evidence,
          .status = 401,
          .challenge = reason == "auth.missing" ? kChallengeMissing : kChallengeInvalid};
}

std::string_view reason_of(crypto::JwtStatus status) noexcept {
  switch (status) {
    case crypto::JwtStatus::ok: return {};
    case crypto::JwtStatus::malformed: return "auth.malformed";
    case crypto::JwtStatus::algorithm: return "auth.algorithm";
    case crypto::JwtStatus::key_unknown: return "auth.key_unknown";
    case crypto::JwtStatus::signature: return "auth.signature";
    case crypto::JwtStatus::issuer: return "auth.issuer";
    case crypto::JwtStatus::audience: return "auth.audience";
    case crypto::JwtStatus::not_yet_valid: return "auth.not_yet_valid";
    case crypto::JwtStatus::expired: return "auth.expired";
  }
  return "auth.malformed";
}

// The name that a certificate is known by: a workload's URI first, then DNS, then mail, then the subject.
std::string_view certificate_user(const http::ConnectionInfo& connection) noexcept {
  for (const std::string_view kind : {"uri:", "dns:", "email:"}) {
    for (const std::string& name : connection.certificate_sans) {
      if (name.starts_with(kind)) return std::string_view(name).substr(kind.size());
    }
  }
  return connection.certificate_subject;
}

// The organizational units of a subject in RFC 4514's form. An escaped comma stays inside its value, escape included.
std::vector<std::string> organizational_units(std::string_view subject) {
  std::vector<std::string> units;
  while (!subject.empty()) {
    std::size_t end = 0;
    while (end < subject.size() && subject[end] != ',' && subject[end] != '+') end += subject[end] == '\\' ? 2 : 1;
    end = std::min(end, subject.size());
    if (subject.starts_with("OU=")) units.emplace_back(subject.substr(3, end - 3));
    subject.remove_prefix(std::min(end + 1, subject.size()));
  }
  return units;
}

// What is presented at the provider's endpoints is for the provider: a token for userinfo has its issuer as audience,
// and opens no route of ours. It would be verified, in vain, with every request.
bool is_providers(const Request& request) noexcept {
  const RouteConfig& route = *request.route;
  return route.is_public && !route.services.empty() &&
         request.config->services[route.services.front().service].local == LocalTarget::identity;
}

}  // namespace

std::string_view bearer_token(std::string_view authorization) noexcept {
  constexpr std::string_view kScheme = "bearer";
  if (authorization.size() <= kScheme.size() || authorization[kScheme.size()] != ' ') return {};
  if (!http::equals_ignoring_case(authorization.substr(0, kScheme.size()), kScheme)) return {};
  authorization.remove_prefix(kScheme.size());
  authorization.remove_prefix(std::min(authorization.find_first_not_of(' '), authorization.size()));
  return authorization;
}

AuthenticationLayer::AuthenticationLayer(const Config& config, KeySource keys,
                                         std::shared_ptr<const ApiKeySource> api_keys, TokenLookups* lookups,
                                         std::shared_ptr<Logins> logins)
    : config_(config.authentication), api_keys_(std::move(api_keys)), lookups_(lookups), logins_(std::move(logins)) {
  GH_CHECK(keys.size() == config_.jwt.size());
  GH_CHECK(!config_.api_keys || api_keys_);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    issuers_.push_back({&config_.jwt[i], algorithms_of(config_.jwt[i]), std::move(keys[i])});
  }
  if (!issuers_.empty()) cache_ = std::make_unique<TokenCache>();
}

Decision AuthenticationLayer::decide(Request& request) const {
  if (!request.route) return {};  // nothing is there to be protected
  if (is_providers(request)) return {};
  Decision decision = authenticate(request);
  if (decision.verdict == Verdict::pass) return decision;
  request.principal = {};
  if (!request.route->is_public) return decision;
  if (decision.reason == "auth.missing") return {};
  return {.verdict = Verdict::pass, .reason = decision.reason, .evidence = decision.evidence};
}

Decision AuthenticationLayer::authenticate(Request& request) const {
  const http::Fields& fields = request.message.fields;
  if (!issuers_.empty()) {
    if (const auto authorization = fields.get("authorization")) {
      if (fields.count("authorization") > 1) return refuse("auth.malformed", "several Authorization fields");
      if (const std::string_view token = bearer_token(*authorization); !token.empty())
        return with_token(request, token);
    }
  }
  if (config_.api_keys) {
    if (const auto key = fields.get(config_.api_keys->header)) {
      if (fields.count(config_.api_keys->header) > 1) return refuse("auth.api_key", "several API keys");
      return with_api_key(request, *key);
    }
  }
  if (request.route->access.login && logins_) return with_session(request);
  if (config_.client_certificates && request.connection && !request.connection->certificate_sha256.empty()) {
    return with_certificate(request);
  }
  return refuse("auth.missing", "no credential of a configured kind");
}

Decision AuthenticationLayer::with_token(Request& request, std::string_view token) const {
  if (token.size() > crypto::kJwtBytesMax) return refuse("auth.malformed", "the token is too long");
  bool current = false;
  cache_->find(token, request.wall, [&](const VerifiedToken& verified) {
    // What changed since: the keys, the time, the connection. Anything amiss is decided by a fresh verification.
    current = issuers_[verified.issuer].keys->epoch() == verified.key_epoch && request.wall >= verified.not_before &&
              (verified.certificate_sha256.empty() ||
               (request.connection && request.connection->certificate_sha256 == verified.certificate_sha256));
    if (!current) return;
    verified.principal.unpack(request.arena, request.principal);
    current = !is_revoked(issuers_[verified.issuer], verified, request.principal.user);
  });
  if (lookups_ != nullptr) (current ? lookups_->hits : lookups_->misses).add();
  return current ? Decision{} : verify(request, token);
}

Decision AuthenticationLayer::verify(Request& request, std::string_view token) const {
  crypto::UnverifiedJwt parsed;
  if (const auto status = crypto::parse_jwt(token, parsed); status != crypto::JwtStatus::ok) {
    return refuse(reason_of(status), status == crypto::JwtStatus::algorithm ? "an algorithm that is never accepted"
                                                                            : "not a signed token of the known form");
  }
  const Issuer* issuer = find_issuer(parsed.issuer());
  if (!issuer) return refuse("auth.issuer", "the issuer is not configured");
  const std::string& name = issuer->config->name;
  // An ID token of ours is for the client that it names, and no access token (RFC 9068 §4).
  if (crypto::UnverifiedJwt strict;
      issuer->config->own && crypto::parse_jwt(token, crypto::kOurAccessTokenForm, strict) != crypto::JwtStatus::ok) {
    return refuse("auth.malformed", evidence(request.arena, "issuer {}: not an access token", name));
  }
  const std::uint64_t epoch = issuer->keys->epoch();  // before the keys: see IssuerKeys
  const auto keys = issuer->keys->get();
  if (!keys) {
    issuer->keys->want();
    return {.verdict = Verdict::deny,
            .reason = "auth.keys_unavailable",
            .evidence = evidence(request.arena, "issuer {}: no key set was ever loaded", name),
            .status = 503};
  }
  crypto::JwtValidity validity;
  const auto status = crypto::verify_jwt(parsed, *keys,
                                         {.issuer = issuer->config->issuer,
                                          .audiences = issuer->config->audience,
                                          .algorithms = issuer->algorithms,
                                          .leeway = issuer->config->leeway},
                                         request.wall, validity);
  if (status == crypto::JwtStatus::key_unknown) issuer->keys->want();
  if (status == crypto::JwtStatus::expired) {
    return refuse("auth.expired", evidence(request.arena, "issuer {}: expired {} ago, leeway included", name,
                                           duration_text(request.wall - validity.expires)));
  }
  if (status != crypto::JwtStatus::ok) return refuse(reason_of(status), evidence(request.arena, "issuer {}", name));

  auto facts = facts_of(parsed.claims, *issuer->config);
  if (!facts) return refuse("auth.malformed", evidence(request.arena, "issuer {}: a claim has not its form", name));
  TokenBinding binding = binding_of(parsed.claims);
  const bool bound = binding.kind != TokenBinding::Kind::none;
  if (bound && (binding.kind == TokenBinding::Kind::unknown || !request.connection ||
                request.connection->certificate_sha256 != binding.certificate_sha256)) {
    return refuse("auth.binding", evidence(request.arena, "issuer {}: the token is bound to another key", name));
  }
  facts->expires = validity.expires;
  VerifiedToken verified{.principal = PrincipalRecord(*facts),
                         .issuer = static_cast<std::uint32_t>(issuer - issuers_.data()),
                         .key_epoch = epoch,
                         .not_before = validity.not_before,
                         .expires = validity.expires,
                         .certificate_sha256 = std::move(binding.certificate_sha256)};
  if (issuer->keys->revoked() != nullptr) {
    const auto text = [&](std::string_view claim) {
      return std::string(parsed.claims.find_string(claim).value_or(""));
    };
    verified.id = text("jti");
    verified.grant = text("gid");
    verified.session = text("sid");
    if (const codec::Json* issued = parsed.claims.find("iat")) verified.issued_s = issued->integer().value_or(0);
  }
  verified.principal.unpack(request.arena, request.principal);
  if (is_revoked(*issuer, verified, request.principal.user))
    return refuse("auth.revoked", evidence(request.arena, "issuer {}: taken back before its time", name));
  cache_->insert(token, request.wall, std::move(verified));
  return {};
}

bool AuthenticationLayer::is_revoked(const Issuer& issuer, const VerifiedToken& token,
                                     std::string_view user) const noexcept {
  const RevokedTokens* const revoked = issuer.keys->revoked();
  return revoked != nullptr && revoked->covers({token.id, token.grant, token.session, user, token.issued_s});
}

const AuthenticationLayer::Issuer* AuthenticationLayer::find_issuer(std::string_view name) const noexcept {
  for (const Issuer& issuer : issuers_) {
    if (issuer.config->issuer == name) return &issuer;
  }
  return nullptr;
}

Decision AuthenticationLayer::with_api_key(Request& request, std::string_view key) const {
  const auto keys = api_keys_->get();
  if (!keys) {
    return {.verdict = Verdict::deny,
            .reason = "auth.keys_unavailable",
            .evidence = "the file of API keys was never loaded",
            .status = 503};
  }
  const ApiKeySet::Known* known = keys->find(key);
  if (!known) return refuse("auth.api_key", "unknown API key");
  if (request.wall >= known->expires) {
    return refuse("auth.expired",
                  evidence(request.arena, "API key: expired {} ago", duration_text(request.wall - known->expires)));
  }
  known->principal.unpack(request.arena, request.principal);
  return {};
}

Decision AuthenticationLayer::with_session(Request& request) const {
  const http::CanonicalRequest& message = request.message;
  switch (logins_->authenticate(request)) {
    case Logins::Found::none: return logins_->begin(request, "auth.login", nullptr);
    case Logins::Found::over: return logins_->begin(request, "auth.session_over", nullptr);
    case Logins::Found::session: break;
  }
  const bool socket = !message.upgrade.empty() || !message.protocol.empty();
  if (!socket && is_safe_method(message.method)) return {};
  const RequestOrigin origin = socket ? origin_of_socket(message.fields, message.authority)
                                      : origin_of_request(message.fields, message.authority);
  if (origin == RequestOrigin::same) return {};
  request.set_cookie = {};
  return {.verdict = Verdict::deny,
          .reason = "auth.csrf",
          .evidence = origin == RequestOrigin::foreign ? "another site made this request with the user's cookie"
                                                       : "nothing says which site made this request",
          .status = 403};
}

void AuthenticationLayer::on_response(Request& request, http::ResponseHead& head) const {
  if (request.set_cookie.empty()) return;
  head.fields.add("set-cookie", request.set_cookie);
  // Whatever the service says: a cache between would give this cookie to others.
  head.fields.set("cache-control", "no-store");
}

Decision AuthenticationLayer::with_certificate(Request& request) const {
  const http::ConnectionInfo& connection = *request.connection;
  PrincipalFacts facts;
  facts.method = AuthMethod::client_certificate;
  facts.user = certificate_user(connection);
  facts.key_id = connection.certificate_sha256;
  if (facts.user.empty()) return refuse("auth.malformed", "the client certificate names nobody");
  switch (config_.client_certificates->roles_from) {
    case ClientCertificatesConfig::RolesFrom::none: break;
    case ClientCertificatesConfig::RolesFrom::san:
      for (const std::string& name : connection.certificate_sans)
        facts.roles.push_back(name.substr(name.find(':') + 1));
      break;
    case ClientCertificatesConfig::RolesFrom::subject:
      facts.roles = organizational_units(connection.certificate_subject);
      break;
  }
  PrincipalRecord(facts).unpack(request.arena, request.principal);
  return {};
}

}  // namespace gatehouse::gateway
