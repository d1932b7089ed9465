#pragma once
// From a verified token's claims to the facts that layers decide on.
//
// Thread safety: pure functions. Bounds: what is longer or more than an honest issuer writes makes the token malformed.

#include <optional>

#include "codec/json.h"
#include "gateway/config.h"
#include "gateway/layers/authentication/principal_record.h"

namespace gatehouse::gateway {

// Null when the token names no user, or a claim that matters has the wrong form. `expires` is set by the caller.
// A claim's name may be a path into objects ("realm_access.roles"); a claim of that literal name comes first.
std::optional<PrincipalFacts> facts_of(const codec::Json& claims, const JwtIssuerConfig& issuer);

// The SHA-256, in hexadecimal, of the client certificate that a token is bound to (RFC 8705 §3.1).
struct TokenBinding {
  enum class Kind : std::uint8_t { none, certificate, unknown } kind = Kind::none;
  std::string certificate_sha256;
};
// `unknown`: bound to something that is not checked here (a DPoP key, RFC 9449): as a bearer token it proves nothing.
TokenBinding binding_of(const codec::Json& claims);

}  // namespace gatehouse::gateway
