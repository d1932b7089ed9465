#include "app/identity/outside_logins.h"

#include "codec/base64.h"
#include "codec/form.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "gateway/login/token_answer.h"
#include "identity/seconds.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using codec::Json;
using identity::OutsideAttempt;
using identity::OutsideIdentity;

auto not_known() { return fail(ErrorCode::unavailable, "the provider is not known yet", ErrorSource::upstream); }

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// OpenID Connect Core §5.1; what is there already stays.
void read_profile(const Json& claims, OutsideIdentity& out) {
  const auto take = [&](std::string_view name, std::string& into) {
    if (into.empty()) into = claims.find_string(name).value_or("");
  };
  if (out.email.empty()) {
    take("email", out.email);
    const Json* verified = claims.find("email_verified");
    out.email_verified = verified != nullptr && verified->boolean().value_or(false);
  }
  take("name", out.name);
  take("given_name", out.given_name);
  take("family_name", out.family_name);
  take("locale", out.locale);
}

}  // namespace

OutsideLogins::OutsideLogins(const std::vector<gateway::IdentityConfig::OutsideProvider>& config, const Clock& clock,
                             const OutsideProvider::Call& call)
    : clock_(clock) {
  for (const auto& one : config) {
    views_.push_back({one.id, one.name, one.issuer, one.create_users});
    all_.push_back({one, std::make_unique<OutsideProvider>(
                             OutsideProviderOptions{one.issuer, one.client_id, one.client_secret, one.ca}, clock, call,
                             OutsideProvider::Thread::none)});
  }
}

void OutsideLogins::start() {
  for (const One& one : all_) one.client->start();
}

void OutsideLogins::run_due() {
  for (const One& one : all_) one.client->run_due();
}

OutsideLogins::One* OutsideLogins::find(std::string_view id) noexcept {
  for (One& one : all_) {
    if (one.config.id == id) return &one;
  }
  return nullptr;
}

Result<std::string> OutsideLogins::authorization_url(std::string_view id, const OutsideAttempt& attempt) {
  const One* one = find(id);
  const auto known = one == nullptr ? nullptr : one->client->provider();
  if (!known) return not_known();
  codec::FormWriter query;
  query.add("response_type", "code").add("client_id", one->config.client_id).add("redirect_uri", attempt.redirect_uri);
  query.add("scope", joined(one->config.scopes)).add("state", attempt.state).add("nonce", attempt.nonce);
  query.add("code_challenge", codec::base64url_encode(crypto::as_text(crypto::sha256(attempt.verifier))));
  query.add("code_challenge_method", "S256");
  // With max_age the ID token has to say when it asked (OpenID Connect Core §3.1.2.1).
  if (attempt.anew) query.add("prompt", "login").add("max_age", "0");
  const char separator = known->authorization_endpoint.find('?') == std::string::npos ? '?' : '&';
  return known->authorization_endpoint + separator + query.text();
}

Status OutsideLogins::check_issuer(std::string_view id, std::optional<std::string_view> iss) {
  const One* one = find(id);
  const auto known = one == nullptr ? nullptr : one->client->provider();
  if (!known) return not_known();
  if (iss ? *iss != known->issuer : known->names_itself)
    return fail(ErrorCode::denied, "the answer is another issuer's", ErrorSource::downstream);
  return {};
}

Result<OutsideIdentity> OutsideLogins::redeem_now(One& one, const gateway::ProviderMetadata& known,
                                                  std::string_view code, const OutsideAttempt& attempt) const {
  codec::FormWriter form;
  form.add("grant_type", "authorization_code").add("code", code).add("redirect_uri", attempt.redirect_uri);
  form.add("code_verifier", attempt.verifier);
  const auto answer = one.client->ask(form.text());
  if (!answer) return tl::unexpected(answer.error());
  const auto signed_in = gateway::read_login(*answer, {known, one.config.client_id, clock_.wall()}, attempt.nonce);
  if (!signed_in) return tl::unexpected(signed_in.error());
  OutsideIdentity who;
  who.issuer = known.issuer;
  who.subject = signed_in->user;
  if (signed_in->authenticated != WallTime{}) who.auth_s = identity::seconds_of(signed_in->authenticated);
  const auto body = Json::parse(answer->body);
  // read_login has verified this very token.
  crypto::UnverifiedJwt token;
  if (crypto::parse_jwt(body->find_string("id_token").value_or(""), crypto::kIdTokenForm, token) ==
      crypto::JwtStatus::ok)
    read_profile(token.claims, who);
  if (!one.config.create_users || !who.email.empty()) return who;
  // Only to make an account is anything of it needed; whoever is known needs none of it.
  const auto about = one.client->userinfo(body->find_string("access_token").value_or(""));
  if (!about || about->status != 200) return who;
  const auto claims = Json::parse(about->body);
  // OpenID Connect Core §5.3.2: of another subject, it must not be used.
  if (claims && claims->find_string("sub") == who.subject) read_profile(*claims, who);
  return who;
}

Result<OutsideIdentity> OutsideLogins::redeem(std::string_view id, std::string_view code,
                                              const OutsideAttempt& attempt) {
  One* one = find(id);
  const auto known = one == nullptr ? nullptr : one->client->provider();
  if (!known) return not_known();
  if (waiting_.fetch_add(1) >= kAtOnceMax) {
    waiting_.fetch_sub(1);
    return fail(ErrorCode::exhausted, "too many wait for a provider");
  }
  auto who = redeem_now(*one, *known, code, attempt);
  waiting_.fetch_sub(1);
  if (!who) GH_LOG(warn, "login at an outside provider", {"provider", one->config.id}, {"error", who.error().message});
  return who;
}

}  // namespace gatehouse::app
