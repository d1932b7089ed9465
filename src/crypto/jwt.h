#pragma once
// JSON Web Tokens, verified (RFC 7519, RFC 7515 compact form, RFC 8725 best practice, RFC 9068 access tokens).
//
// Strict: only signed tokens in three parts; the algorithms of jwk.h; no `crit`, no key or address of a key inside the
// token (`jwk`, `jku`, `x5u`, `x5c`), no compression, no nesting; canonical base64url; JSON without duplicate names.
// A DPoP proof, which must bring its key, is the one form that says otherwise (dpop.h).
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
  codec::Json embedded_key;  // the header's `jwk`, for forms that demand one; null otherwise

  std::string_view issuer() const noexcept { return claims.find_string("iss").value_or(""); }
};

inline constexpr std::size_t kJwtBytesMax = 8 * 1024;

// What kind of token its reader takes: a token of one purpose must not pass for one of another (RFC 8725 §3.11).
struct JwtForm {
  std::span<const std::string_view> types;  // of `typ`, in lower case and without "application/" (RFC 7515 §4.1.9)
  enum class Type : std::uint8_t { optional, required } type = Type::required;
  enum class Key : std::uint8_t { refused, required } embedded_key = Key::refused;
};
extern const JwtForm kAccessTokenForm;     // "jwt", "at+jwt", or no `typ`: what other issuers write
extern const JwtForm kOurAccessTokenForm;  // "at+jwt" (RFC 9068 §2.1)
extern const JwtForm kIdTokenForm;         // "jwt" or no `typ`
// "logout+jwt", "jwt" or no `typ`: OpenID Connect Back-Channel Logout §2.4 recommends the first and allows what
// providers wrote before. Its `events` claim, which is required, and the `nonce`, which is forbidden, tell it from
// other tokens.
extern const JwtForm kLogoutTokenForm;
extern const JwtForm kRequestForm;  // "oauth-authz-req+jwt", "jwt" or no `typ` (RFC 9101 §10.8)

// ok, malformed or algorithm.
JwtStatus parse_jwt(std::string_view token, const JwtForm& form, UnverifiedJwt& out);
inline JwtStatus parse_jwt(std::string_view token, UnverifiedJwt& out) {
  return parse_jwt(token, kAccessTokenForm, out);
}

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

// Signature first, then issuer and audience, then time: what is `expired` is good but for that. `exp` is required.
JwtStatus verify_jwt(const UnverifiedJwt& token, const KeySet& keys, const JwtExpectation& expected, WallTime now,
                     JwtValidity& validity);

// A NumericDate (RFC 7519 §2), within what a clock can hold.
std::optional<WallTime> numeric_date(const codec::Json* claim) noexcept;

}  // namespace gatehouse::crypto
