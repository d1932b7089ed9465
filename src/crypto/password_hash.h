#pragma once
// Passwords: Argon2id (RFC 9106), by libsodium, in PHC's text form.
//
//   $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>
//
// Thread safety: pure functions. They block for tens of milliseconds and take `memory_kib` each: worker threads only,
// at most as many at once as there are cores.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::crypto {

// One lane always. The default is the least that OWASP's password storage cheat sheet names for Argon2id.
struct PasswordCost {
  std::uint32_t memory_kib = 19456;
  std::uint32_t passes = 2;
  bool operator==(const PasswordCost&) const = default;
};
inline constexpr std::uint32_t kPasswordMemoryKibMin = 8;            // what Argon2 takes for one lane
inline constexpr std::uint32_t kPasswordMemoryKibMax = 1024 * 1024;  // a hash that asks for more is refused
inline constexpr std::uint32_t kPasswordPassesMax = 64;
inline constexpr std::size_t kPasswordBytesMax = 4096;  // a bound against mistakes; policy has its own

// With a salt of its own. `pepper`, when there is one, is mixed in first by HMAC-SHA-256: without it, a stolen table is
// of no use to anyone. ErrorCode::exhausted when the memory isn't there, invalid for a cost or length out of bounds.
Result<std::string> hash_password(std::string_view password, std::string_view pepper = {}, PasswordCost cost = {});

enum class PasswordVerdict : std::uint8_t {
  match,
  mismatch,
  malformed,  // `phc` is no Argon2id hash within the bounds above
  exhausted,  // no memory: answer 503, say nothing about the password
};
// Compares in constant time.
PasswordVerdict verify_password(std::string_view phc, std::string_view password, std::string_view pepper = {});

// Was it made with another cost? True for what is no hash of ours at all.
bool needs_rehash(std::string_view phc, PasswordCost cost = {});

// 32 bytes from a passphrase with a stored salt (16 bytes), for a key instead of a comparison.
Result<SecretBytes> key_from_passphrase(std::string_view passphrase, std::string_view salt, PasswordCost cost);
inline constexpr std::size_t kPassphraseSaltBytes = 16;

}  // namespace gatehouse::crypto
