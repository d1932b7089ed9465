#include "identity/factors/totp.h"

#include <fmt/format.h>

#include "codec/base32.h"
#include "codec/form.h"
#include "crypto/digest.h"
#include "crypto/random.h"
#include "crypto/sha1.h"

namespace gatehouse::identity {
namespace {

constexpr std::size_t kDigits = 6;
constexpr std::uint32_t kModulus = 1'000'000;
constexpr std::int64_t kDrift = 1;  // steps to either side (RFC 6238 §5.2)

}  // namespace

SecretBytes new_totp_secret() { return crypto::random_secret(kTotpSecretBytes); }

std::string totp_secret_text(std::string_view secret) {
  std::string out;
  for (const char c : codec::base32_encode(secret)) {
    if (out.size() % 5 == 4) out += ' ';
    out += c;
  }
  return out;
}

std::int64_t totp_step(WallTime now) noexcept { return now.time_since_epoch() / kTotpPeriod; }

std::string totp_code(std::string_view secret, std::int64_t step) {
  std::string counter;
  for (int shift = 56; shift >= 0; shift -= 8) counter += static_cast<char>(step >> shift & 0xff);
  const crypto::Sha1 mac = crypto::hmac_sha1(secret, counter);
  const std::size_t offset = mac.back() & 15;  // dynamic truncation (RFC 4226 §5.3)
  const std::uint32_t number = std::uint32_t{mac[offset]} << 24 | std::uint32_t{mac[offset + 1]} << 16 |
                               std::uint32_t{mac[offset + 2]} << 8 | mac[offset + 3];
  return fmt::format("{:0{}}", (number & 0x7fffffff) % kModulus, kDigits);
}

std::optional<std::int64_t> verify_totp(std::string_view secret, std::string_view code, WallTime now,
                                        std::int64_t last_step) {
  std::string digits;
  for (const char c : code) {
    if (c == ' ') continue;
    if (c < '0' || c > '9' || digits.size() == kDigits) return std::nullopt;
    digits += c;
  }
  const std::int64_t current = totp_step(now);
  std::optional<std::int64_t> found;
  // All three are computed, whichever it is: the time taken says nothing about the owner's clock.
  for (std::int64_t step = current - kDrift; step <= current + kDrift; ++step) {
    if (crypto::equal_in_constant_time(totp_code(secret, step), digits) && step > last_step) found = step;
  }
  return found;
}

std::string totp_uri(std::string_view issuer, std::string_view account, std::string_view secret) {
  return fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}&algorithm=SHA1&digits={}&period=30",
                     codec::percent_encode(issuer), codec::percent_encode(account), codec::base32_encode(secret),
                     codec::percent_encode(issuer), kDigits);
}

}  // namespace gatehouse::identity
