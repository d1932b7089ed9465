#pragma once
// The keys that events are encrypted with: one for a day, sealed by the keyring (table event_keys), so that a rotation
// of the keyring seals a few keys anew and not millions of events, and what is past its time can be given up by its
// key.
//
// Thread safety: any thread; a key that is not known yet blocks for the store.

#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "base/result.h"
#include "crypto/aead.h"
#include "secrets/keyring.h"
#include "secrets/sealed_column.h"
#include "store/database.h"

namespace gatehouse::events {

inline constexpr secrets::SealedColumn kEventKey{"event_keys", "id", "key_sealed"};

class EventKeys {
 public:
  static constexpr Duration kAgeMax = std::chrono::hours(24);
  using Key = std::shared_ptr<const crypto::AeadKey>;

  EventKeys(store::Database& database, secrets::Keyring& keyring, const Clock& clock)
      : database_(database), keyring_(keyring), clock_(clock) {}

  struct Named {
    std::string id;
    Key key;
  };
  Result<Named> current();                  // makes one when there is none of the last day
  Result<Key> find(const std::string& id);  // not_found: it was given up
  Status remove_older_than(Duration age);

 private:
  Result<Key> opened(const std::string& id, std::uint64_t version, const std::string& sealed);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
  std::mutex mutex_;  // over everything below
  std::unordered_map<std::string, Key> known_;
  std::string current_;
  std::int64_t current_since_ms_ = 0;
};

}  // namespace gatehouse::events
