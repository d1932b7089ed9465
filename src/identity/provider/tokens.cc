#include "identity/provider/tokens.h"

#include <fmt/format.h>

#include "codec/base64.h"
#include "codec/json_writer.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "crypto/random.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

using codec::Json;
using codec::JsonWriter;

constexpr Duration kIdTokenLifetime = std::chrono::hours(1);
constexpr Duration kLogoutTokenLifetime = std::chrono::minutes(2);
constexpr Duration kHintAgeMax = std::chrono::hours(24 * 365);

void member(JsonWriter& json, std::string_view name, std::string_view value) {
  if (value.empty()) return;
  json.raw(name);  // `,"name":`
  json.string(value);
}

void list(JsonWriter& json, std::string_view name, const std::vector<std::string>& values) {
  if (values.empty()) return;
  json.raw(name);
  json.raw("[");
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) json.raw(",");
    json.string(values[i]);
  }
  json.raw("]");
}

// RFC 7519 §4.1.3: one audience is a text, several are a list.
void audience(JsonWriter& json, const std::vector<std::string>& audiences) {
  if (audiences.size() == 1) return member(json, R"(,"aud":)", audiences.front());
  list(json, R"(,"aud":)", audiences);
}

void words(JsonWriter& json, std::string_view name, std::string_view separated) {
  if (separated.empty()) return;
  json.raw(name);
  json.raw("[");
  bool first = true;
  while (!separated.empty()) {
    const std::size_t end = std::min(separated.find(' '), separated.size());
    if (!first) json.raw(",");
    first = false;
    json.string(separated.substr(0, end));
    separated.remove_prefix(std::min(end + 1, separated.size()));
  }
  json.raw("]");
}

void authentication(JsonWriter& json, const AuthenticationFacts& facts) {
  if (facts.time_s == 0) return;
  json.raw(R"(,"auth_time":)");
  json.number(facts.time_s);
  member(json, R"(,"acr":)", facts.acr());
  words(json, R"(,"amr":)", facts.amr);
}

void confirmation(JsonWriter& json, const Confirmation& bound) {
  if (bound.empty()) return;
  json.raw(R"(,"cnf":{)");
  if (!bound.jkt.empty()) {
    json.raw(R"("jkt":)");
    json.string(bound.jkt);
    if (!bound.x5t_s256.empty()) json.raw(",");
  }
  if (!bound.x5t_s256.empty()) {
    json.raw(R"("x5t#S256":)");
    json.string(bound.x5t_s256);
  }
  json.raw("}");
}

// What ID tokens and logout tokens begin with.
struct Parties {
  std::string_view issuer, subject, audience;
};
void begin_claims(JsonWriter& json, const Parties& parties, WallTime now, Duration lifetime) {
  json.raw(R"({"iss":)");
  json.string(parties.issuer);
  member(json, R"(,"sub":)", parties.subject);
  member(json, R"(,"aud":)", parties.audience);
  json.raw(R"(,"iat":)");
  json.number(seconds_of(now));
  json.raw(R"(,"exp":)");
  json.number(seconds_of(now + lifetime));
}

// OIDC Core §3.1.3.6: the left half of the digest that goes with the signature's algorithm.
std::string at_hash(std::string_view access_token, crypto::JoseAlgorithm algorithm) {
  const std::string digest = algorithm == crypto::JoseAlgorithm::eddsa
                                 ? crypto::sha512(access_token)
                                 : std::string(crypto::as_text(crypto::sha256(access_token)));
  return codec::base64url_encode(std::string_view(digest).substr(0, digest.size() / 2));
}

std::string text_of(const Json& claims, std::string_view name) {
  return std::string(claims.find_string(name).value_or(""));
}

// One text or a list of them.
std::vector<std::string> texts_of(const Json& claims, std::string_view name) {
  std::vector<std::string> texts;
  const Json* claim = claims.find(name);
  if (claim == nullptr) return texts;
  if (const auto one = claim->string()) texts.emplace_back(*one);
  if (!claim->is_array()) return texts;
  for (const Json& item : claim->items()) texts.emplace_back(item.string().value_or(""));
  return texts;
}

// What introspection says of a token, written once when it is first seen.
std::string introspection_members(const Json& claims, const VerifiedToken& token) {
  std::string out;
  JsonWriter json(out);
  json.raw(token.confirmation.jkt.empty() ? R"("token_type":"Bearer")" : R"("token_type":"DPoP")");
  for (const std::string_view name : {"iss", "sub", "client_id", "jti", "scope", "acr", "sid"}) {
    if (const auto value = claims.find_string(name)) {
      json.raw(",");
      json.string(name);
      json.raw(":");
      json.string(*value);
    }
  }
  for (const std::string_view name : {"exp", "iat", "auth_time"}) {
    const Json* value = claims.find(name);
    if (value == nullptr || !value->integer()) continue;
    json.raw(",");
    json.string(name);
    json.raw(":");
    json.number(*value->integer());
  }
  audience(json, token.audiences);
  list(json, R"(,"amr":)", texts_of(claims, "amr"));
  list(json, R"(,"roles":)", token.roles);
  if (const Json* act = claims.find("act"); act != nullptr) {
    json.raw(R"(,"act":{"sub":)");
    json.string(act->find_string("sub").value_or(""));
    json.raw("}");
  }
  confirmation(json, token.confirmation);
  json.flush();
  return out;
}

}  // namespace

Result<std::string> Tokens::access_token(const AccessTokenFacts& facts) const {
  const auto keys = keys_.current();
  const WallTime now = clock_.wall();
  const crypto::SigningKey* key = keys ? keys->signer(crypto::JoseAlgorithm::es256, now) : nullptr;
  if (key == nullptr) return fail(ErrorCode::unavailable, "no key may sign access tokens now");
  std::string claims;
  claims.reserve(512);
  JsonWriter json(claims);
  json.raw(R"({"iss":)");
  json.string(issuer_);
  member(json, R"(,"sub":)", facts.subject);
  audience(json, facts.audiences);
  json.raw(R"(,"iat":)");
  json.number(seconds_of(now));
  json.raw(R"(,"exp":)");
  json.number(seconds_of(now) + facts.lifetime_s);
  member(json, R"(,"jti":)", crypto::random_token());
  member(json, R"(,"client_id":)", facts.client_id);
  if (!facts.scopes.empty()) {
    json.raw(R"(,"scope":")");
    for (std::size_t i = 0; i < facts.scopes.size(); ++i) {
      if (i != 0) json.raw(" ");
      json.escaped(facts.scopes[i]);
    }
    json.raw("\"");
  }
  list(json, R"(,"roles":)", facts.roles);
  list(json, R"(,"userinfo_claims":)", facts.userinfo_claims);
  authentication(json, facts.authentication);
  confirmation(json, facts.confirmation);
  member(json, R"(,"sid":)", facts.session_id);
  member(json, R"(,"gid":)", facts.grant_id);
  if (!facts.actor.empty()) {
    json.raw(R"(,"act":{"sub":)");
    json.string(facts.actor);
    json.raw("}");
  }
  json.raw("}");
  json.flush();
  return key->sign(claims, "at+jwt");
}

Result<std::string> Tokens::id_token(const IdTokenFacts& facts, crypto::JoseAlgorithm algorithm) const {
  const auto keys = keys_.current();
  const WallTime now = clock_.wall();
  const crypto::SigningKey* key = keys ? keys->signer(algorithm, now) : nullptr;
  if (key == nullptr) return fail(ErrorCode::unavailable, "no key may sign ID tokens of this algorithm now");
  std::string claims;
  JsonWriter json(claims);
  begin_claims(json, {issuer_, facts.subject, facts.client_id}, now, kIdTokenLifetime);
  authentication(json, facts.authentication);
  member(json, R"(,"nonce":)", facts.nonce);
  member(json, R"(,"sid":)", facts.session_id);
  if (!facts.access_token.empty()) member(json, R"(,"at_hash":)", at_hash(facts.access_token, algorithm));
  json.raw(facts.claims);
  json.raw("}");
  json.flush();
  return key->sign(claims, "JWT");
}

Result<std::string> Tokens::logout_token(std::string_view subject, std::string_view client_id,
                                         std::string_view session_id, crypto::JoseAlgorithm algorithm) const {
  const auto keys = keys_.current();
  const WallTime now = clock_.wall();
  const crypto::SigningKey* key = keys ? keys->signer(algorithm, now) : nullptr;
  if (key == nullptr) return fail(ErrorCode::unavailable, "no key may sign logout tokens now");
  std::string claims;
  JsonWriter json(claims);
  begin_claims(json, {issuer_, subject, client_id}, now, kLogoutTokenLifetime);
  member(json, R"(,"jti":)", crypto::random_token());
  member(json, R"(,"sid":)", session_id);
  json.raw(R"(,"events":{"http://schemas.openid.net/event/backchannel-logout":{}}})");
  json.flush();
  return key->sign(claims, "logout+jwt");
}

std::shared_ptr<const VerifiedToken> Tokens::verify_uncached(std::string_view text) const {
  const auto keys = keys_.current();
  crypto::UnverifiedJwt jwt;
  if (!keys || crypto::parse_jwt(text, crypto::kOurAccessTokenForm, jwt) != crypto::JwtStatus::ok) return nullptr;
  const crypto::JwtExpectation expected{issuer_, {}, crypto::AlgorithmSet::all(), Duration(0)};
  crypto::JwtValidity validity;
  if (crypto::verify_jwt(jwt, keys->verifying(), expected, clock_.wall(), validity) != crypto::JwtStatus::ok)
    return nullptr;
  auto token = std::make_shared<VerifiedToken>();
  const Json& claims = jwt.claims;
  token->subject = text_of(claims, "sub");
  token->client_id = text_of(claims, "client_id");
  token->token_id = text_of(claims, "jti");
  token->grant_id = text_of(claims, "gid");
  token->session_id = text_of(claims, "sid");
  token->scope = text_of(claims, "scope");
  token->audiences = texts_of(claims, "aud");
  token->roles = texts_of(claims, "roles");
  token->userinfo_claims = texts_of(claims, "userinfo_claims");
  token->authentication.mfa = claims.find_string("acr") == kAcrMfa;
  token->authentication.amr = fmt::format("{}", fmt::join(texts_of(claims, "amr"), " "));
  if (const Json* time = claims.find("auth_time")) token->authentication.time_s = time->integer().value_or(0);
  token->expires_s = seconds_of(validity.expires);
  if (const Json* issued = claims.find("iat")) token->issued_s = issued->integer().value_or(0);
  if (const Json* bound = claims.find("cnf")) {
    token->confirmation.jkt = text_of(*bound, "jkt");
    token->confirmation.x5t_s256 = text_of(*bound, "x5t#S256");
  }
  token->introspection = introspection_members(claims, *token);
  return token;
}

std::shared_ptr<const VerifiedToken> Tokens::verify(std::string_view text) {
  if (text.size() > crypto::kJwtBytesMax) return nullptr;
  const crypto::Sha256 digest = crypto::sha256(text);
  const std::string key(crypto::as_text(digest));
  Shard& shard = shards_[digest[0] % kShards];
  const std::int64_t now = seconds_of(clock_.wall());
  {
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.tokens.find(key); found != shard.tokens.end()) {
      if (found->second->expires_s > now) return found->second;
      shard.tokens.erase(found);
      return nullptr;
    }
  }
  auto token = verify_uncached(text);
  if (!token) return nullptr;
  const std::lock_guard lock(shard.mutex);
  if (shard.tokens.size() >= kCachedMax / kShards) shard.tokens.clear();
  shard.tokens.emplace(key, token);
  return token;
}

std::optional<Tokens::Hint> Tokens::read_hint(std::string_view id_token) const {
  const auto keys = keys_.current();
  crypto::UnverifiedJwt jwt;
  if (!keys || crypto::parse_jwt(id_token, crypto::kIdTokenForm, jwt) != crypto::JwtStatus::ok) return std::nullopt;
  const crypto::JwtExpectation expected{issuer_, {}, crypto::AlgorithmSet::all(), kHintAgeMax};
  crypto::JwtValidity validity;
  if (crypto::verify_jwt(jwt, keys->verifying(), expected, clock_.wall(), validity) != crypto::JwtStatus::ok)
    return std::nullopt;
  const auto audiences = texts_of(jwt.claims, "aud");
  if (audiences.size() != 1) return std::nullopt;
  return Hint{text_of(jwt.claims, "sub"), audiences.front(), text_of(jwt.claims, "sid")};
}

bool is_revoked(const Revocations& revocations, const VerifiedToken& token) noexcept {
  return is_revoked(revocations,
                    TokenName{token.token_id, token.grant_id, token.session_id, token.subject, token.issued_s});
}

bool is_revoked(const Revocations& revocations, const TokenName& token) noexcept {
  return revocations.covers(RevokedKind::token, token.id, token.issued_s) ||
         (!token.grant_id.empty() && revocations.covers(RevokedKind::grant, token.grant_id, token.issued_s)) ||
         (!token.session_id.empty() && revocations.covers(RevokedKind::session, token.session_id, token.issued_s)) ||
         revocations.covers(RevokedKind::user, token.subject, token.issued_s);
}

}  // namespace gatehouse::identity
