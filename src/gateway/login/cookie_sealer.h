#pragma once
// Cookies that only this deployment can have made, and nobody else can read.
//
//   value = base64url(day of sealing, four bytes ‖ nonce ‖ ciphertext ‖ tag)
//
// The purpose ("session", "login") and the day are authenticated with the text: a cookie of one kind is none of
// another. A key for each day comes out of the deployment's key (HKDF, RFC 5869), because one AES-256-GCM key with
// random nonces is good for 2^32 messages, which a busy gateway seals in weeks. Thread safety: any thread; a lock for a
// look-up among a few keys. Opening is not for every request: see SessionCache.

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "crypto/aead.h"

namespace gatehouse::gateway {

class CookieSealer {
 public:
  // 32 bytes that all gateways of a deployment share and that outlive a restart.
  explicit CookieSealer(const SecretBytes& key) : key_(key) {}

  std::string seal(std::string_view purpose, std::string_view plain, WallTime now) const;
  // Null for what was not sealed for this purpose under this key within `age_max`, or is to be read from the future.
  std::optional<SecretBytes> open(std::string_view purpose, std::string_view value, WallTime now,
                                  Duration age_max) const;

 private:
  std::shared_ptr<const crypto::AeadKey> key_of(std::uint32_t day) const;

  struct DayKey {
    std::uint32_t day = 0;
    std::shared_ptr<const crypto::AeadKey> key;
  };
  const SecretBytes key_;
  mutable std::mutex mutex_;
  mutable std::array<DayKey, 8> known_;  // the day modulo 8: what is asked for is of the last days
};

}  // namespace gatehouse::gateway
