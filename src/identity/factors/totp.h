#pragma once
// Time-based one-time passwords (RFC 6238) as authenticator apps compute them: HMAC-SHA-1, six digits, 30 seconds.
//
// Thread safety: pure functions. A code is good once (RFC 6238 §5.2): the caller stores the step that `verify_totp`
// returns as the last one that was used, in one statement that only lets it grow (EnrolledFactors::advance), and counts
// failures: a guess is right once in 333,333.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret_bytes.h"

namespace gatehouse::identity {

inline constexpr std::size_t kTotpSecretBytes = 20;  // as long as the digest (RFC 4226 §4, R6)
inline constexpr Duration kTotpPeriod = std::chrono::seconds(30);

SecretBytes new_totp_secret();
std::string totp_secret_text(std::string_view secret);  // base32 in groups of four, to be typed by hand

std::int64_t totp_step(WallTime now) noexcept;
std::string totp_code(std::string_view secret, std::int64_t step);

// The step whose code it is: now's, or the one before or after it, and later than `last_step`; nullopt otherwise.
// Spaces in `code` are passed over: apps show it in two groups.
std::optional<std::int64_t> verify_totp(std::string_view secret, std::string_view code, WallTime now,
                                        std::int64_t last_step);

// otpauth://totp/Issuer:account?… as authenticator apps read it (Key Uri Format).
std::string totp_uri(std::string_view issuer, std::string_view account, std::string_view secret);

}  // namespace gatehouse::identity
