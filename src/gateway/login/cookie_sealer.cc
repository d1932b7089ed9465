#include "gateway/login/cookie_sealer.h"

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "base/check.h"
#include "codec/base64.h"
#include "crypto/hkdf.h"

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kIdBytes = 4, kHeaderBytes = kIdBytes + 4;

std::uint32_t day_of(WallTime time) noexcept {
  return static_cast<std::uint32_t>(std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

// The purpose is ours and has no NUL; the header has a fixed length.
std::string associated(std::string_view purpose, std::string_view header) {
  return fmt::format("gatehouse cookie {}{}{}", purpose, '\0', header);
}

void put(std::string& out, std::uint32_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(number >> shift & 0xff);
}

std::uint32_t number_in(std::string_view bytes) noexcept {
  std::uint32_t number = 0;
  for (const char c : bytes) number = number << 8 | static_cast<std::uint8_t>(c);
  return number;
}

}  // namespace

// The keys at one time, with the last days' that came out of them.
class CookieSealer::Ring {
 public:
  Ring(std::vector<CookieKey> keys, std::uint32_t sealing) : sealing_(sealing), keys_(std::move(keys)) {
    GH_CHECK(find(sealing) != nullptr);
  }

  std::uint32_t sealing() const noexcept { return sealing_; }
  bool has(std::uint32_t id) const noexcept { return find(id) != nullptr; }

  std::shared_ptr<const crypto::AeadKey> of_day(std::uint32_t id, std::uint32_t day) const {
    const std::lock_guard lock(mutex_);
    DayKey& place = known_[(id + day) % known_.size()];
    if (!place.key || place.day != day || place.id != id) {
      const std::string info = fmt::format("cookies of day {}", day);
      place = {id, day,
               std::make_shared<const crypto::AeadKey>(
                   crypto::hkdf_sha256(find(id)->key.expose(), {}, info, crypto::AeadKey::kKeyBytes))};
    }
    return place.key;
  }

 private:
  struct DayKey {
    std::uint32_t id = 0, day = 0;
    std::shared_ptr<const crypto::AeadKey> key;
  };

  const CookieKey* find(std::uint32_t id) const noexcept {
    const auto at = std::find_if(keys_.begin(), keys_.end(), [&](const CookieKey& key) { return key.id == id; });
    return at == keys_.end() ? nullptr : &*at;
  }

  const std::uint32_t sealing_;
  const std::vector<CookieKey> keys_;
  mutable std::mutex mutex_;
  mutable std::array<DayKey, 8> known_;  // what is asked for is of the last days, and mostly of one key
};

CookieSealer::CookieSealer(std::vector<CookieKey> keys, std::uint32_t sealing)
    : ring_(std::make_shared<const Ring>(std::move(keys), sealing)) {}

void CookieSealer::use(std::vector<CookieKey> keys, std::uint32_t sealing) {
  ring_.store(std::make_shared<const Ring>(std::move(keys), sealing));
  epoch_.fetch_add(1, std::memory_order_release);  // after the keys: who has seen the new epoch opens with them
}

std::string CookieSealer::seal(std::string_view purpose, std::string_view plain, WallTime now) const {
  const auto ring = ring_.load();
  const std::uint32_t day = day_of(now);
  std::string bytes;
  put(bytes, ring->sealing());
  put(bytes, day);
  bytes += ring->of_day(ring->sealing(), day)->seal(plain, associated(purpose, bytes));
  return codec::base64url_encode(bytes);
}

std::optional<SecretBytes> CookieSealer::open(std::string_view purpose, std::string_view value, WallTime now,
                                              Duration age_max) const {
  const auto bytes = codec::base64url_decode(value);
  if (!bytes || bytes->size() < kHeaderBytes + crypto::AeadKey::kOverheadBytes) return std::nullopt;
  const std::string_view header = std::string_view(*bytes).substr(0, kHeaderBytes);
  const std::uint32_t id = number_in(header.substr(0, kIdBytes)), day = number_in(header.substr(kIdBytes));
  // Before a key is made of it: whoever sends made-up days must not empty the place of a good one. A day more at the
  // near end for gateways whose clocks differ.
  if (day > day_of(now) + 1 || day < day_of(now - age_max)) return std::nullopt;
  const auto ring = ring_.load();
  if (!ring->has(id)) return std::nullopt;
  return ring->of_day(id, day)->open(std::string_view(*bytes).substr(kHeaderBytes), associated(purpose, header));
}

}  // namespace gatehouse::gateway
