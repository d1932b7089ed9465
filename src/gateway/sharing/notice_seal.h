#pragma once
// The secret that gateways agreed on, and what is made of it: the key under which rates and penalties are named, and
// keys that seal notices.
//
// In Redis there is a random value that the first gateway put there. The secret is derived from it together with the
// password of the connection, so that a copy of the data (a snapshot on disk, a replica) without the password opens
// nothing. Every process seals under a key of its own, derived with its random name: random nonces of AES-GCM allow
// 2^32 messages of one key, which a deployment may send in years but a process does not.
// Thread safety: one thread.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/secret_bytes.h"
#include "crypto/aead.h"
#include "crypto/keyed_hash.h"

namespace gatehouse::gateway {

class NoticeSeal {
 public:
  static constexpr std::size_t kAgreedBytes = 32;
  static constexpr std::size_t kOriginBytes = 16;
  static constexpr std::size_t kOriginsMax = 64;  // whose keys are kept ready

  NoticeSeal(std::string_view agreed, const SecretBytes& password);

  const crypto::HashKey& names() const noexcept { return names_; }
  // `stream` is part of what is authenticated: a notice is not moved to another.
  std::string seal(std::string_view text, std::string_view origin, std::string_view stream);
  std::optional<std::string> open(std::string_view sealed, std::string_view origin, std::string_view stream);

 private:
  const crypto::AeadKey& key_of(std::string_view origin);

  SecretBytes secret_;
  crypto::HashKey names_;
  std::unordered_map<std::string, crypto::AeadKey> keys_;
};

}  // namespace gatehouse::gateway
