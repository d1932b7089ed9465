#include "crypto/client_assertion.h"

namespace gatehouse::crypto {
namespace {

constexpr std::size_t kIdBytesMax = 256;
constexpr std::string_view kTypes[] = {"jwt", "client-authentication+jwt"};
const JwtForm kForm{.types = kTypes, .type = JwtForm::Type::optional};

ClientAssertionStatus status_of(JwtStatus status) {
  switch (status) {
    case JwtStatus::ok: return ClientAssertionStatus::ok;
    case JwtStatus::malformed: return ClientAssertionStatus::malformed;
    case JwtStatus::algorithm: return ClientAssertionStatus::algorithm;
    case JwtStatus::key_unknown: return ClientAssertionStatus::key_unknown;
    case JwtStatus::signature: return ClientAssertionStatus::signature;
    case JwtStatus::issuer: return ClientAssertionStatus::client;
    case JwtStatus::audience: return ClientAssertionStatus::audience;
    case JwtStatus::not_yet_valid: return ClientAssertionStatus::not_yet_valid;
    case JwtStatus::expired: return ClientAssertionStatus::expired;
  }
  return ClientAssertionStatus::malformed;
}

}  // namespace

std::string client_of_assertion(std::string_view assertion) {
  UnverifiedJwt token;
  if (parse_jwt(assertion, kForm, token) != JwtStatus::ok) return {};
  const std::string_view issuer = token.issuer();
  return token.claims.find_string("sub") == issuer ? std::string(issuer) : std::string();
}

ClientAssertionStatus verify_client_assertion(std::string_view assertion, const KeySet& keys,
                                              const ClientAssertionExpectation& expected, WallTime now,
                                              ClientAssertion& out) {
  UnverifiedJwt token;
  if (const JwtStatus status = parse_jwt(assertion, kForm, token); status != JwtStatus::ok) return status_of(status);
  // Without audiences verify_jwt asks for none: an assertion for another server would be good here.
  if (expected.audiences.empty()) return ClientAssertionStatus::audience;
  const JwtExpectation jwt{.issuer = expected.client_id,
                           .audiences = expected.audiences,
                           .algorithms = expected.algorithms,
                           .leeway = expected.leeway};
  JwtValidity validity;
  if (const JwtStatus status = verify_jwt(token, keys, jwt, now, validity); status != JwtStatus::ok) {
    return status_of(status);
  }
  if (token.claims.find_string("sub") != expected.client_id) return ClientAssertionStatus::client;
  if (validity.expires - expected.leeway > now + expected.lifetime_max + expected.leeway) {
    return ClientAssertionStatus::lifetime;
  }
  const auto id = token.claims.find_string("jti");
  if (!id || id->empty() || id->size() > kIdBytesMax) return ClientAssertionStatus::identifier;
  out = {.id = std::string(*id), .expires = validity.expires};
  return ClientAssertionStatus::ok;
}

}  // namespace gatehouse::crypto
