#pragma once
// Another root key, without a moment in which the store has none that opens it.
//
//   1. the new root key is made durable, by whoever owns it: a file, the environment, a memory
//   2. add_root: both open the keyring
//   3. every gateway is given the new one, one after the other
//   4. remove_other_roots: the old one opens nothing that is stored from now on
//
// After a crash at any moment the configured root key, old or new, opens the keyring, and the step can be done again.
// Gateways may run: each reads the keyring again within a minute, and its root key's file when what it has is out.
// A backup is opened by the root key of its time.
//
// Thread safety: any; two that rotate at once get in each other's way and one is told (ErrorCode::conflict).

#include <string>
#include <vector>

#include "base/clock.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::secrets {

struct RootView {
  std::int64_t id = 0;
  std::string kind;  // "key", "passphrase"; empty: made by an earlier version
  WallTime created;
};
// Those that open the keyring, the oldest first; empty: there is no keyring yet.
Result<std::vector<RootView>> root_keys(store::Database& database);

// Which of them `source` is; nullopt: none.
Result<std::optional<std::int64_t>> find_root(store::Database& database, const RootKeySource& source);

// `next` opens the keyring, too. ErrorCode::denied: `now` does not open it. Nothing happens when it does already.
Status add_root(store::Database& database, const RootKeySource& now, const RootKeySource& next, const Clock& clock);

// `source` alone opens the keyring, whose keys are wrapped anew with a key that no other has ever opened. How many root
// keys were removed. Who has both an old root key and an old copy of the store has the keyring's keys of that time:
// where it is known to others, the keyring is rotated after this.
Result<std::size_t> remove_other_roots(store::Database& database, const RootKeySource& source);

}  // namespace gatehouse::secrets
