#include "gateway/layers/authorization/authorization_layer.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "gateway/login/logins.h"

namespace gatehouse::gateway {
namespace {

bool has(std::span<const std::string_view> list, std::string_view wanted) noexcept {
  return std::find(list.begin(), list.end(), wanted) != list.end();
}

Decision forbid(std::string_view reason, std::string_view evidence, std::string_view challenge = {}) {
  return {.verdict = Verdict::deny, .reason = reason, .evidence = evidence, .status = 403, .challenge = challenge};
}

}  // namespace

AuthorizationLayer::AuthorizationLayer(std::shared_ptr<Logins> logins) : logins_(std::move(logins)) {}
AuthorizationLayer::~AuthorizationLayer() = default;

Decision AuthorizationLayer::step_up(Request& request, std::string_view reason, std::string_view evidence_text) const {
  const auto age = std::chrono::duration_cast<std::chrono::seconds>(request.route->access.mfa_max_age);
  if (logins_ && request.route->access.login && request.principal.method == AuthMethod::session) {
    const Logins::StepUp wanted{age};
    Decision decision = logins_->begin(request, reason, &wanted);
    decision.evidence = evidence_text;
    return decision;
  }
  return {.verdict = Verdict::deny,
          .reason = reason,
          .evidence = evidence_text,
          .status = 403,
          .challenge = evidence(request.arena, "Bearer error=\"insufficient_user_authentication\", max_age=\"{}\"",
                                age.count())};
}

Decision AuthorizationLayer::decide(Request& request) const {
  if (!request.route || request.route->is_public) return {};
  const AccessConfig& access = request.route->access;
  const Principal& who = request.principal;
  const bool has_role =
      access.roles.empty() || std::any_of(access.roles.begin(), access.roles.end(),
                                          [&](const std::string& role) { return has(who.roles, role); });
  if (!has_role) {
    return forbid("access.role",
                  evidence(request.arena, "user {}: has none of {}", who.user, fmt::join(access.roles, ", ")));
  }
  for (const std::string& scope : access.scopes) {
    if (has(who.scopes, scope)) continue;
    return forbid("access.scope", evidence(request.arena, "user {}: lacks {}", who.user, scope),
                  "Bearer error=\"insufficient_scope\"");
  }
  // A session is this gateway's own, for the very host that asks.
  const bool needs_audience = !access.audience.empty() && who.method != AuthMethod::session;
  if (needs_audience && !has(who.audiences, access.audience)) {
    return forbid("access.audience",
                  evidence(request.arena, "user {}: the token is not for {}", who.user, access.audience));
  }
  if (!access.mfa) return {};
  if (!who.mfa) return step_up(request, "access.mfa", evidence(request.arena, "user {}: one factor only", who.user));
  const Duration age = request.wall - who.authenticated_at;
  if (who.authenticated_at == WallTime{} || age > access.mfa_max_age) {
    return step_up(request, "access.mfa_age",
                   evidence(request.arena, "user {}: authenticated {} ago", who.user, duration_text(age)));
  }
  return {};
}

}  // namespace gatehouse::gateway
