#include "identity/factors/one_time_code.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "crypto/digest.h"
#include "crypto/random.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kDigits = 6;
constexpr std::uint32_t kCodes = 1'000'000;
constexpr std::size_t kRecoveryDigits = 10;
constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kHashDigits = 64;

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

// Each of them as likely as any other: what lies above the last whole multiple is drawn again.
std::uint32_t random_below(std::uint32_t bound) {
  const std::uint32_t limit = UINT32_MAX - UINT32_MAX % bound;
  for (;;) {
    std::array<std::uint8_t, 4> bytes;
    crypto::random_bytes(bytes);
    const std::uint32_t drawn =
        std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 | bytes[3];
    if (drawn < limit) return drawn % bound;
  }
}

std::string keyed(std::string_view key, std::string_view kind, std::string_view subject, std::string_view code) {
  // The code is last and has one length: no subject can be read as another's with another code.
  return crypto::to_hex(crypto::as_text(crypto::hmac_sha256(key, fmt::format("{}\n{}\n{}", kind, subject, code))));
}

std::optional<std::string> read_digits(std::string_view code) {
  std::string digits;
  for (const char c : code) {
    if (c == ' ') continue;
    if (c < '0' || c > '9' || digits.size() == kDigits) return std::nullopt;
    digits += c;
  }
  return digits.size() == kDigits ? std::optional(digits) : std::nullopt;
}

std::optional<std::string> read_recovery(std::string_view code) {
  std::string digits;
  for (char c : code) {
    if (c == ' ' || c == '-') continue;
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    if (c == 'O') c = '0';
    if (c == 'I' || c == 'L') c = '1';
    if (kCrockford.find(c) == std::string_view::npos || digits.size() == kRecoveryDigits) return std::nullopt;
    digits += c;
  }
  return digits.size() == kRecoveryDigits ? std::optional(digits) : std::nullopt;
}

}  // namespace

std::string new_one_time_code(std::string_view key, std::string_view subject, WallTime now, OneTimeCode& stored) {
  std::string code = fmt::format("{:0{}}", random_below(kCodes), kDigits);
  stored = {.hash = keyed(key, "code", subject, code), .expires_s = seconds(now + OneTimeCode::kLifetime), .tries = 0};
  return code;
}

CodeVerdict verify_one_time_code(std::string_view key, std::string_view subject, std::string_view code, WallTime now,
                                 OneTimeCode& stored) {
  if (stored.tries >= OneTimeCode::kTriesMax) return CodeVerdict::exhausted;
  if (stored.hash.empty() || seconds(now) >= stored.expires_s) return CodeVerdict::expired;
  ++stored.tries;
  const auto digits = read_digits(code);
  if (!digits || !crypto::equal_in_constant_time(keyed(key, "code", subject, *digits), stored.hash)) {
    return CodeVerdict::mismatch;
  }
  stored.hash.clear();
  return CodeVerdict::match;
}

std::vector<std::string> new_recovery_codes() {
  std::vector<std::string> codes(kRecoveryCodes);
  for (std::string& code : codes) {
    for (std::size_t i = 0; i < kRecoveryDigits; ++i) {
      if (i == kRecoveryDigits / 2) code += '-';
      code += kCrockford[random_below(static_cast<std::uint32_t>(kCrockford.size()))];
    }
  }
  return codes;
}

std::optional<std::string> recovery_code_hash(std::string_view key, std::string_view user_id, std::string_view code) {
  const auto digits = read_recovery(code);
  return digits ? std::optional(keyed(key, "recovery", user_id, *digits)) : std::nullopt;
}

std::string recovery_code_hashes(std::string_view key, std::string_view user_id,
                                 const std::vector<std::string>& codes) {
  std::string hashes;
  for (const std::string& code : codes) {
    if (!hashes.empty()) hashes += ' ';
    hashes += recovery_code_hash(key, user_id, code).value_or("");
  }
  return hashes;
}

bool use_recovery_code(std::string_view key, std::string_view user_id, std::string_view code, std::string& hashes) {
  const auto hash = recovery_code_hash(key, user_id, code);
  if (!hash) return false;
  for (std::size_t at = 0; at + kHashDigits <= hashes.size(); at += kHashDigits + 1) {
    if (!crypto::equal_in_constant_time(std::string_view(hashes).substr(at, kHashDigits), *hash)) continue;
    hashes.erase(at, std::min(kHashDigits + 1, hashes.size() - at));
    if (hashes.ends_with(' ')) hashes.pop_back();
    return true;
  }
  return false;
}

std::size_t recovery_codes_left(std::string_view hashes) noexcept { return (hashes.size() + 1) / (kHashDigits + 1); }

}  // namespace gatehouse::identity
