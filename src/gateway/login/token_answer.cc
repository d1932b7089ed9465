#include "gateway/login/token_answer.h"

#include <algorithm>
#include <array>

#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "gateway/layers/authentication/claims.h"

namespace gatehouse::gateway {
namespace {

using codec::Json;
using crypto::JoseAlgorithm;

constexpr Duration kLeeway = std::chrono::seconds(30);
constexpr Duration kLogoutAgeMax = std::chrono::minutes(5);
constexpr std::string_view kLogoutEvent = "http://schemas.openid.net/event/backchannel-logout";

auto not_proved(std::string_view why) { return fail(ErrorCode::invalid, std::string(why), ErrorSource::upstream); }

// Those whose hash for at_hash we have.
crypto::AlgorithmSet algorithms() {
  crypto::AlgorithmSet set;
  for (const auto one : {JoseAlgorithm::es256, JoseAlgorithm::rs256, JoseAlgorithm::ps256, JoseAlgorithm::eddsa})
    set.add(one);
  return set;
}

Result<crypto::UnverifiedJwt> verified(std::string_view token, const crypto::JwtForm& form,
                                       const TokenExpectation& expected) {
  crypto::UnverifiedJwt jwt;
  if (token.size() > crypto::kJwtBytesMax || crypto::parse_jwt(token, form, jwt) != crypto::JwtStatus::ok)
    return not_proved("a token of the provider is malformed");
  const auto keys = expected.provider.keys->get();
  if (!keys) {
    expected.provider.keys->want();
    return fail(ErrorCode::unavailable, "the provider's keys are not known yet", ErrorSource::upstream);
  }
  const std::array<std::string, 1> audience{std::string(expected.client_id)};
  crypto::JwtValidity validity;
  const auto status = crypto::verify_jwt(
      jwt, *keys,
      {.issuer = expected.provider.issuer, .audiences = audience, .algorithms = algorithms(), .leeway = kLeeway},
      expected.now, validity);
  if (status == crypto::JwtStatus::key_unknown) expected.provider.keys->want();
  if (status != crypto::JwtStatus::ok) return not_proved("a token of the provider does not verify");
  // A token for several must say that it was made for us (OIDC Core §3.1.3.7, 4 and 5).
  const Json* audiences = jwt.claims.find("aud");
  const auto party = jwt.claims.find_string("azp");
  const bool several = audiences != nullptr && audiences->is_array() && audiences->size() > 1;
  if ((several && !party) || (party && *party != expected.client_id))
    return not_proved("a token of the provider was made for another client");
  return jwt;
}

// OIDC Core §3.1.3.6: the left half of the hash that the signature's algorithm uses.
bool at_hash_fits(const crypto::UnverifiedJwt& jwt, std::string_view access_token) {
  const Json* claim = jwt.claims.find("at_hash");
  if (claim == nullptr) return true;
  const std::string hash = jwt.algorithm == JoseAlgorithm::eddsa
                               ? crypto::sha512(access_token)
                               : std::string(crypto::as_text(crypto::sha256(access_token)));
  return claim->string() == codec::base64url_encode(std::string_view(hash).substr(0, hash.size() / 2));
}

Result<Json> body_of(const TokenEndpoint::Answer& answer) {
  auto json = Json::parse(answer.body);
  if (answer.status == 200 && json && json->is_object()) return std::move(*json);
  const std::string error(json ? json->find_string("error").value_or("") : "");
  if (answer.status == 400 && error == "invalid_grant")
    return fail(ErrorCode::denied, "the provider refuses: invalid_grant", ErrorSource::upstream);
  return fail(ErrorCode::unavailable,
              fmt::format("the token endpoint answers {} {}", answer.status, error.substr(0, 80)),
              ErrorSource::upstream);
}

void read_rest(const Json& body, SignedIn& out) {
  out.refresh_token = body.find_string("refresh_token").value_or("");
  std::string_view scopes = body.find_string("scope").value_or("");
  while (!scopes.empty()) {
    const std::size_t end = std::min(scopes.find(' '), scopes.size());
    if (end > 0) out.scopes.emplace_back(scopes.substr(0, end));
    scopes.remove_prefix(std::min(end + 1, scopes.size()));
  }
}

Result<SignedIn> read_id_token(const Json& body, const TokenExpectation& expected, std::string_view nonce) {
  const auto token = body.find_string("id_token");
  if (!token) return not_proved("the provider gave no ID token");
  auto jwt = verified(*token, crypto::kIdTokenForm, expected);
  if (!jwt) return tl::unexpected(jwt.error());
  const auto said = jwt->claims.find_string("nonce");
  if (!nonce.empty() && (!said || !crypto::equal_in_constant_time(*said, nonce)))
    return not_proved("the ID token belongs to another login");
  if (!at_hash_fits(*jwt, body.find_string("access_token").value_or("")))
    return not_proved("the ID token belongs to another access token");
  auto facts = facts_of(jwt->claims, JwtIssuerConfig{});
  if (!facts) return not_proved("a claim of the ID token has not its form");
  SignedIn out;
  out.user = std::move(facts->user);
  out.roles = std::move(facts->roles);
  out.names_roles = jwt->claims.find("roles") != nullptr;
  out.mfa = facts->mfa;
  // Only what the provider says about the authentication itself: `iat` is newer with every refresh.
  out.authenticated = crypto::numeric_date(jwt->claims.find("auth_time")).value_or(WallTime{});
  out.sid = jwt->claims.find_string("sid").value_or("");
  out.acr = jwt->claims.find_string("acr").value_or("");
  if (out.sid.size() > 256 || out.acr.size() > 256) return not_proved("a claim of the ID token is too long");
  read_rest(body, out);
  return out;
}

}  // namespace

Result<SignedIn> read_login(const TokenEndpoint::Answer& answer, const TokenExpectation& expected,
                            std::string_view nonce) {
  const auto body = body_of(answer);
  if (!body) return tl::unexpected(body.error());
  if (nonce.empty()) return not_proved("a login without a nonce");
  return read_id_token(*body, expected, nonce);
}

Result<SignedIn> read_refresh(const TokenEndpoint::Answer& answer, const TokenExpectation& expected) {
  const auto body = body_of(answer);
  if (!body) return tl::unexpected(body.error());
  if (body->find("id_token") != nullptr) return read_id_token(*body, expected, {});
  SignedIn out;
  read_rest(*body, out);
  return out;
}

Result<LoggedOut> read_logout_token(std::string_view token, const TokenExpectation& expected) {
  auto jwt = verified(token, crypto::kLogoutTokenForm, expected);
  if (!jwt) return tl::unexpected(jwt.error());
  const Json* events = jwt->claims.find("events");
  const Json* event = events != nullptr ? events->find(kLogoutEvent) : nullptr;
  if (event == nullptr || !event->is_object()) return not_proved("this is no logout token");
  if (jwt->claims.find("nonce") != nullptr) return not_proved("an ID token is no logout token");
  const auto issued = crypto::numeric_date(jwt->claims.find("iat"));
  if (!issued || *issued > expected.now + kLeeway || *issued < expected.now - kLogoutAgeMax)
    return not_proved("the logout token is not of now");
  LoggedOut out{std::string(jwt->claims.find_string("sid").value_or("")),
                std::string(jwt->claims.find_string("sub").value_or(""))};
  if (out.sid.empty() && out.user.empty()) return not_proved("the logout token names nobody");
  return out;
}

}  // namespace gatehouse::gateway
