#pragma once
// Codes that are sent (six digits by e-mail or SMS) and codes that are kept (recovery): how they are drawn, hashed and
// compared.
//
// Thread safety: pure functions; state is a value that the caller stores sealed, and puts back by comparing its version
// before it says anything about the code: two tries at once must not cost one.
// A hash of a million possibilities hides nothing by itself: it is HMAC-SHA-256 under a key of the deployment
// (Keyring::derive), bound to whose code it is.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace gatehouse::identity {

struct OneTimeCode {
  static constexpr Duration kLifetime = std::chrono::minutes(10);
  static constexpr std::int64_t kTriesMax = 5;  // of a million: one in 200,000

  std::string hash;  // hexadecimal; empty once it was used
  std::int64_t expires_s = 0;
  std::int64_t tries = 0;
};

// Six digits and what to store for them. `subject` is whose code it is and what for ("login/01J…").
std::string new_one_time_code(std::string_view key, std::string_view subject, WallTime now, OneTimeCode& stored);

enum class CodeVerdict : std::uint8_t { match, mismatch, expired, exhausted };
// Counts the try in `stored`, and clears it at a match; in either case the caller stores it before it goes on.
CodeVerdict verify_one_time_code(std::string_view key, std::string_view subject, std::string_view code, WallTime now,
                                 OneTimeCode& stored);

// Recovery codes: ten, of 50 random bits each, in Crockford's alphabet, which has no letters that look like digits.
inline constexpr std::size_t kRecoveryCodes = 10;
std::vector<std::string> new_recovery_codes();  // "7K2QM-X04TN": shown once
// What to store for one; however it is typed (lower case, without hyphen, O for 0, I and L for 1).
// Nullopt: it is no such code.
std::optional<std::string> recovery_code_hash(std::string_view key, std::string_view user_id, std::string_view code);
// Removes the code's hash from `hashes` (hexadecimal, separated by spaces). False: it isn't one of them.
bool use_recovery_code(std::string_view key, std::string_view user_id, std::string_view code, std::string& hashes);
std::string recovery_code_hashes(std::string_view key, std::string_view user_id, const std::vector<std::string>& codes);
std::size_t recovery_codes_left(std::string_view hashes) noexcept;

}  // namespace gatehouse::identity
