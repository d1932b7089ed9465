#pragma once
// What is stored under the keys of before is sealed anew with the current one, while everybody goes on reading and
// writing; keys that nothing is sealed with any more are removed.
//
// A pass walks over every sealed column in small batches, in the order of the primary key, and exchanges the values
// that another key sealed: only where the value is still the one that was read, so that no change of others is lost. It
// keeps nothing but its place, in memory: who begins again after a crash finds what is done already done.
// A key goes once it has not been the current one for kKeepKey and a pass that began after that has found nothing under
// it: until then another gateway may still seal with it, having not read the keyring again (Keyring::seal).
// What does not open stays as it is, is told, and keeps its key.
//
// Thread safety: `tend` from one thread at a time; `report` from any. Calls block. Over one store one gateway at a time
// walks (a lease of a minute); two would do no harm.

#include <atomic>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "secrets/keyring.h"
#include "secrets/sealed_column.h"
#include "store/database.h"

namespace gatehouse::secrets {

class Resealer {
 public:
  static constexpr Duration kKeepKey = std::chrono::hours(1);
  static constexpr std::size_t kBatch = 50;

  // What it refers to outlives it.
  Resealer(store::Database& database, Keyring& keyring, std::span<const SealedColumn> columns, const Clock& clock);

  // A bounded part of the work: batches until `budget` is over, or nothing is left to do now. To be called every second
  // or so; costs nothing while there is one key.
  Status tend(Duration budget);

  struct Key {
    KeyView view;
    std::int64_t records = 0;  // that are sealed with it
  };
  struct Report {
    std::vector<Key> keys;
    std::int64_t lost = 0;       // records whose key is not here
    std::int64_t unopened = 0;   // that the last whole pass could not open
    std::int64_t root_keys = 0;  // that open the keyring: more than one while the root key is rotated
  };
  // Looks at every sealed record: seconds, where there are millions.
  Result<Report> report();

 private:
  struct Pass {
    std::uint32_t key = 0;  // to which it goes
    WallTime began;
    std::size_t column = 0;
    store::Value after;                   // the last primary key that it has seen
    std::map<std::uint32_t, bool> found;  // keys that it found something under
    std::int64_t unopened = 0, resealed = 0;
  };
  Result<bool> hold_lease();
  Result<bool> step();  // false: the pass is over
  Status finish_pass();
  Result<std::size_t> reseal_batch(const SealedColumn& column);
  store::Value first_id(const SealedColumn& column) const;

  store::Database& database_;
  Keyring& keyring_;
  const std::span<const SealedColumn> columns_;
  const Clock& clock_;
  const std::string holder_;
  std::optional<Pass> pass_;
  std::uint32_t done_for_ = 0;  // the current key of the last pass
  WallTime next_pass_;          // not before this, unless there is another current key
  MonotonicTime lease_until_{}, ask_again_{};
  std::atomic<std::int64_t> unopened_{0};
};

}  // namespace gatehouse::secrets
