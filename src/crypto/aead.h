#pragma once
// Authenticated encryption: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce in front of the ciphertext and the
// tag behind it.
//
// Thread safety: a key is immutable and may be used by all threads.
// Bound: random nonces allow 2^32 messages under one key (SP 800-38D §8.3): beyond it a nonce may come twice with a
// probability above 2^-32, and a repeated nonce gives away the authentication key. Who seals counts, and takes a new
// key in time (kMessagesMax). A message has at most 2^36 - 32 bytes there, and kMessageBytesMax here.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/secret_bytes.h"
#include "crypto/guarded.h"

namespace gatehouse::crypto {

class AeadKey {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  static constexpr std::size_t kNonceBytes = 12;
  static constexpr std::size_t kTagBytes = 16;
  static constexpr std::size_t kOverheadBytes = kNonceBytes + kTagBytes;
  static constexpr std::uint64_t kMessagesMax = std::uint64_t{1} << 32;
  static constexpr std::size_t kMessageBytesMax = std::size_t{1} << 30;

  // Exactly kKeyBytes: a key comes from random_secret or hkdf_sha256, never from a peer.
  explicit AeadKey(const SecretBytes& key);
  static AeadKey generate();

  // nonce ‖ ciphertext ‖ tag. `associated` is authenticated with it and not contained in it.
  std::string seal(std::string_view plain, std::string_view associated) const;
  // Null when `sealed` or `associated` is not what was sealed under this key. Nothing of the plaintext leaves before
  // the tag has been found right.
  std::optional<SecretBytes> open(std::string_view sealed, std::string_view associated) const;

  std::string_view expose() const noexcept { return key_.expose(); }  // to be wrapped by another key

 private:
  GuardedKey key_;
};

}  // namespace gatehouse::crypto
