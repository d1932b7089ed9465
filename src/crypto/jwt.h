#pragma once
// JSON Web Tokens, verified (RFC 7519, RFC 7515 compact form, RFC 8725 best practice, RFC 9068 access tokens).
//
// Strict: only signed tokens in three parts; the algorithms of jwk.h; no `crit`, no key or address of a key inside the
// token (`jwk`, `jku`, `x5u`, `x5c`), no compression, no nesting; canonical base64url; JSON without duplicate names.
// Thread safety: pure functions. Nothing throws; the caller gets a small enum, because under attack this is the hot
// path.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "codec/json.h"
#include "crypto/jwk.h"

namespace gatehouse::crypto {

enum class JwtStatus : std::uint8_t {
  ok,
  malformed,
  algorithm,    // unknown, not allowed, or not the key's
  key_unknown,  // no such `kid`
  signature,
  issuer,
  audience,
  not_yet_valid,
  expired,
};

// A token that has been read, and not believed. The issuer it claims may choose whose keys to try; nothing else in it
// may be used before `verify_jwt` said ok.
struct UnverifiedJwt {
  JoseAlgorithm algorithm = JoseAlgorithm::es256;
  std::optional<std::string> key_id;
  std::string_view signed_part;  // header and payload as they came; points into the token
  std::string signature;
  codec::Json claims;

  std::string_view issuer() const noexcept { return claims.find_string("iss").value_or(""); }
};

inline constexpr std::size_t kJwtBytesMax = 8 * 1024;

// ok, malformed or algorithm.
JwtStatus parse_jwt(std::string_view token, UnverifiedJwt& out);

struct JwtExpectation {
  std::string_view issuer;
  std::span<const std::string> audiences;  // one of them must be in `aud`; empty: not checked
  AlgorithmSet algorithms;
  Duration leeway;  // for clocks that differ
};

// When a verified token is good: from `not_before` until before `expires`, the leeway included in both.
struct JwtValidity {
  WallTime not_before{};
  WallTime expires{};
};

// Signature first, then claims. `exp` is required.
JwtStatus verify_jwt(const UnverifiedJwt& token, const KeySet& keys, const JwtExpectation& expected, WallTime now,
                     JwtValidity& validity);

// A NumericDate (RFC 7519 §2), within what a clock can hold.
std::optional<WallTime> numeric_date(const codec::Json* claim) noexcept;

}  // namespace gatehouse::crypto
