#pragma once
// The keys under which this deployment keeps its data: a root key, which the operator owns, wraps a keyring, which
// lives in the store; the keyring's current key encrypts records (envelope encryption).
//
//   root key (file, environment, passphrase) ── HKDF ──> wrapping key ── AES-256-GCM ──> keyring ──> records
//
// The root key is rotated by root_rotation.h, the records are sealed anew by reseal.h.
//
// A sealed value names its key and is bound to the path of its record ("users/01J…/email") and to the record's version:
// moved to another record, or put back from an older copy of it, it does not open.
// Thread safety: any thread. `seal` and `open` take no lock for keys that are known; an unknown key's name makes one
// caller read the keyring again, because another gateway may have rotated it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"
#include "store/database.h"

namespace gatehouse::secrets {

// Where the root key comes from.
struct RootKeySource {
  enum class Kind : std::uint8_t { file, environment, passphrase } kind = Kind::file;
  std::string path;    // of the file: 32 bytes as base64, mode 0600; made when there is no keyring yet
  SecretBytes secret;  // what the environment or the operator gave
};

struct KeyView {
  std::uint32_t id = 0;
  std::string state;  // "current", "previous"
  WallTime created;
};

// How a value begins that this key sealed.
std::string sealed_header(std::uint32_t key);

class Keyring {
 public:
  // Opens the keyring of the store, or makes the first. ErrorCode::denied: this root key is not the one that wrapped
  // it.
  static Result<std::unique_ptr<Keyring>> open(store::Database& database, const RootKeySource& root,
                                               const Clock& clock = SystemClock::instance());
  virtual ~Keyring() = default;

  // Ciphertext of `plain`, 33 bytes longer at most. `version` counts the record's changes, from 1.
  virtual Result<std::string> seal(std::string_view path, std::uint64_t version, std::string_view plain) = 0;
  // ErrorCode::invalid: changed, moved from another record, or of another version. unavailable: its key is not here.
  virtual Result<SecretBytes> open(std::string_view path, std::uint64_t version, std::string_view sealed) = 0;
  // 32 bytes for a named purpose ("password pepper", "e-mail index"), the same on every gateway of this store and over
  // every rotation: what was computed with them is compared for years.
  virtual SecretBytes derive(std::string_view purpose) const = 0;
  // The same out of one of the keys that change: for what may end with its key. nullopt: it is not here. Never reads.
  virtual std::optional<SecretBytes> derive_from(std::uint32_t key, std::string_view purpose) const = 0;

  // Which key sealed it; nullopt: it is no sealed value.
  virtual std::optional<std::uint32_t> key_of(std::string_view sealed) const = 0;
  virtual std::uint32_t current_key() const = 0;
  virtual std::vector<KeyView> keys() const = 0;

  // A new key seals from now on; the others stay for what they sealed. What other gateways seal meanwhile is sealed
  // with the one before, until they read the keyring again.
  virtual Status rotate() = 0;
  // A key that nothing is sealed with any more.
  virtual Status remove_key(std::uint32_t id) = 0;
  virtual Status refresh() = 0;  // reads the keyring again: every minute or so
  virtual Status follow() = 0;   // the same if keys have come or gone, at the cost of one small query: every second
};

}  // namespace gatehouse::secrets
