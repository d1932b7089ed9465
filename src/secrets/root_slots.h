#pragma once
// The root keys that open the keyring: one, and two while it is rotated (as LUKS has its key slots).
//
//   root key ── HKDF(salt) ──> wrapping key ── wraps ──> keyring key ── wraps ──> the keyring's keys
//
// What makes the wrapping key of the first root key is the keyring key as well, until the root key is rotated.
// Internal to this folder.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crypto/aead.h"
#include "secrets/keyring.h"
#include "secrets/root_key.h"

namespace gatehouse::secrets {

struct RootRow {
  std::int64_t id = 0;
  std::string kind;  // "key", "passphrase"; empty: not known
  std::string salt, check, keyring_key_wrapped;
  std::int64_t created_s = 0;
};

// A root key that was found to be right.
struct OpenedRoot {
  std::int64_t id;
  crypto::AeadKey wrapping;
};

Result<std::vector<RootRow>> read_roots(store::Executor& from);  // in the order of their making
// Null: this root key is none of them. ErrorCode::denied and others: it could not be had.
Result<std::shared_ptr<const OpenedRoot>> open_root(const std::vector<RootRow>& rows, const RootKeySource& source);
// "the root key (…) is not the one …"
tl::unexpected<Error> not_this_root(const std::vector<RootRow>& rows, const RootKeySource& source);

bool opens(const crypto::AeadKey& wrapping, std::string_view check);
// The key that wraps the keyring's keys; null: it was changed.
std::optional<crypto::AeadKey> keyring_key(const crypto::AeadKey& wrapping, std::string_view wrapped);
std::string wrap_keyring_key(const crypto::AeadKey& wrapping, const crypto::AeadKey& key);

// A new row for `source`. `keyring_key` null: the root's own key wraps the keyring.
struct NewRoot {
  RootRow row;
  crypto::AeadKey wrapping;
};
Result<NewRoot> make_root(const RootKeySource& source, std::int64_t id, Missing missing,
                          const crypto::AeadKey* keyring_key, const Clock& clock);
Status insert_root(store::Executor& tx, const RootRow& row);

std::string wrapping_context(std::int64_t key_id);

}  // namespace gatehouse::secrets
