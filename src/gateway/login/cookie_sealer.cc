#include "gateway/login/cookie_sealer.h"

#include <fmt/format.h>

#include "codec/base64.h"
#include "crypto/hkdf.h"

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kDayBytes = 4;

std::uint32_t day_of(WallTime time) noexcept {
  return static_cast<std::uint32_t>(std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

// The purpose is ours and has no NUL; the day has a fixed length.
std::string associated(std::string_view purpose, std::string_view day) {
  return fmt::format("gatehouse cookie {}{}{}", purpose, '\0', day);
}

}  // namespace

std::shared_ptr<const crypto::AeadKey> CookieSealer::key_of(std::uint32_t day) const {
  const std::lock_guard lock(mutex_);
  DayKey& place = known_[day % known_.size()];
  if (!place.key || place.day != day) {
    const std::string info = fmt::format("cookies of day {}", day);
    place = {day, std::make_shared<const crypto::AeadKey>(
                      crypto::hkdf_sha256(key_.expose(), {}, info, crypto::AeadKey::kKeyBytes))};
  }
  return place.key;
}

std::string CookieSealer::seal(std::string_view purpose, std::string_view plain, WallTime now) const {
  const std::uint32_t day = day_of(now);
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(day >> shift & 0xff);
  bytes += key_of(day)->seal(plain, associated(purpose, bytes));
  return codec::base64url_encode(bytes);
}

std::optional<SecretBytes> CookieSealer::open(std::string_view purpose, std::string_view value, WallTime now,
                                              Duration age_max) const {
  const auto bytes = codec::base64url_decode(value);
  if (!bytes || bytes->size() < kDayBytes + crypto::AeadKey::kOverheadBytes) return std::nullopt;
  const std::string_view all = *bytes;
  std::uint32_t day = 0;
  for (const char c : all.substr(0, kDayBytes)) day = day << 8 | static_cast<std::uint8_t>(c);
  // Before a key is made of it: whoever sends made-up days must not empty the place of a good one. A day more at the
  // near end for gateways whose clocks differ.
  if (day > day_of(now) + 1 || day < day_of(now - age_max)) return std::nullopt;
  return key_of(day)->open(all.substr(kDayBytes), associated(purpose, all.substr(0, kDayBytes)));
}

}  // namespace gatehouse::gateway
