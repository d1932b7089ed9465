#pragma once
// Cookies that only this deployment can have made, and nobody else can read.
//
//   value = base64url(the key's id ‖ day of sealing, four bytes each ‖ nonce ‖ ciphertext ‖ tag)
//
// The purpose ("session", "login"), the key's id and the day are authenticated with the text: a cookie of one kind is
// none of another. A key for each day comes out of the deployment's key (HKDF, RFC 5869), because one AES-256-GCM key
// with random nonces is good for 2^32 messages, which a busy gateway seals in weeks.
// The deployment's keys change under way (`use`). An id that is not among them opens nothing and asks nobody: who makes
// up ids causes no work.
// Thread safety: any thread; a lock for a look-up among a few keys. Opening is not for every request: whoever keeps
// what he opened asks `epoch` whether the keys are still the same.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "crypto/aead.h"

namespace gatehouse::gateway {

// 32 bytes that all gateways of a deployment share and that outlive a restart.
struct CookieKey {
  std::uint32_t id = 0;
  SecretBytes key;
};

class CookieSealer {
 public:
  // `sealing` is the id of one of them.
  explicit CookieSealer(std::vector<CookieKey> keys, std::uint32_t sealing);

  // From now on. What was sealed with a key that is not among them opens no more.
  void use(std::vector<CookieKey> keys, std::uint32_t sealing);
  // Changes whenever the keys do.
  std::uint64_t epoch() const noexcept { return epoch_.load(std::memory_order_acquire); }

  std::string seal(std::string_view purpose, std::string_view plain, WallTime now) const;
  // Null for what was not sealed for this purpose under this key within `age_max`, or is to be read from the future.
  std::optional<SecretBytes> open(std::string_view purpose, std::string_view value, WallTime now,
                                  Duration age_max) const;

 private:
  class Ring;

  std::atomic<std::shared_ptr<const Ring>> ring_;
  std::atomic<std::uint64_t> epoch_{0};
};

}  // namespace gatehouse::gateway
