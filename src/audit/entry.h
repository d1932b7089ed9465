#pragma once
// An entry of the log: who did what to whom, and how it ended; as one JSON object in one form (docs/audit-log.md).
//
// The form is RFC 8785's for what occurs here: members sorted by name, no white space, integers, strings with as few
// escapes as possible. Control characters become spaces, bytes that are no UTF-8 U+FFFD. Whoever has an entry's words
// can compute its leaf.
// What identifies a person beyond an opaque id (an address, a name, a path) is `personal`: the entry holds a commitment
// to each, HMAC-SHA-256(salt, name ‖ 0x00 ‖ value) with a salt of its own of 16 random bytes. Salt and value are kept
// beside the log, sealed, and can be erased: the entry stays provable and says nothing more.
// Thread safety: pure functions; `PersonalKey` is immutable but for a cache of its own under a lock.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::crypto {
class AeadKey;
}

namespace gatehouse::audit {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

struct Entry {
  enum class Kind : std::uint8_t { administration, authentication, denial, key, event, log };
  Kind kind = Kind::event;
  WallTime time{};
  std::string actor, action, target;  // "user:01j…", "user.create", "session:…"
  std::string outcome = "ok";         // ok, refused, …
  std::string request_id;
  NamedValues details;
  NamedValues personal;
};
inline constexpr std::size_t kEntryKinds = 6;
std::string_view name_of(Entry::Kind kind) noexcept;

inline constexpr std::size_t kValueBytesMax = 512;  // of a value; what is longer is cut
inline constexpr std::size_t kValuesMax = 16;       // of details, and of personal ones; what is more is left out
inline constexpr std::size_t kSaltBytes = 16;

// Base64url, 43 characters.
std::string commitment(std::string_view salt, std::string_view name, std::string_view value);

struct Opening {
  std::string name, salt, value;
};

// Seals what the commitments of an entry stand for, bound to its place in its log: AES-256-GCM. The keys are derived
// from one key, one for each 2^20 entries, so that none seals too often.
class PersonalKey {
 public:
  // `log`: the origin of the log.
  PersonalKey(SecretBytes key, std::string log);
  ~PersonalKey();

  std::string seal(std::uint64_t index, const std::vector<Opening>& openings) const;
  // invalid: changed, of another place, or under another key.
  Result<std::vector<Opening>> open(std::uint64_t index, std::string_view sealed) const;

 private:
  std::shared_ptr<const crypto::AeadKey> key_of(std::uint64_t index) const;
  const SecretBytes key_;
  const std::string log_;
  mutable std::mutex mutex_;  // over what follows
  mutable std::uint64_t block_ = UINT64_MAX;
  mutable std::shared_ptr<const crypto::AeadKey> block_key_;
};

// What is put into the log for `entry` at place `index`. `sealed` is empty when nothing is personal.
struct Recorded {
  std::string leaf;
  std::string sealed;
};
Recorded record_of(const Entry& entry, std::uint64_t index, const PersonalKey& key);

}  // namespace gatehouse::audit
