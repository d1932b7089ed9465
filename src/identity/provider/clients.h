#pragma once
// The clients of the store, remembered.
//
// Thread safety: any thread. `cached` never blocks for the store; the others do.
// A change made through another gateway is seen within kFresh.

#include <memory>
#include <shared_mutex>
#include <unordered_map>

#include "identity/provider/client.h"
#include "store/database.h"

namespace gatehouse::identity {

struct NewClient {
  std::string id;  // empty: one is made
  std::string name;
  ClientSettings settings;
};
struct CreatedClient {
  Client client;
  std::string secret;  // shown once; empty when the client needs none
};

class Clients {
 public:
  static constexpr Duration kFresh = std::chrono::seconds(10);
  static constexpr std::size_t kCachedMax = 10'000;

  Clients(store::Database& database, const Clock& clock) : database_(database), clock_(clock) {}

  // What is remembered and still fresh; null: ask `find`.
  std::shared_ptr<const Client> cached(std::string_view id) const;
  // Null: there is no such client, or it is disabled.
  Result<std::shared_ptr<const Client>> find(std::string_view id);
  // not_found when there is none; disabled ones, too.
  Result<Client> get(std::string_view id);
  Result<std::vector<Client>> list(std::size_t limit, std::string_view after_id = {});

  // ErrorCode::conflict: the id is taken; invalid: the settings are not consistent.
  Result<CreatedClient> create(NewClient wanted);
  Status change(std::string_view id, std::string_view name, const ClientSettings& settings);
  Result<std::string> renew_secret(std::string_view id);  // the old one is void at once
  Status set_enabled(std::string_view id, bool enabled);

  // The gateway's own client, as its configuration has it: made, or changed to that. From then on the calls above leave
  // it alone (ErrorCode::conflict). ErrorCode::conflict: somebody else's client has that id.
  Status keep_own(NewClient wanted, std::string_view secret);
  Status remove(std::string_view id);

 private:
  struct Remembered {
    std::shared_ptr<const Client> client;
    MonotonicTime until;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  Status changed(std::string_view id, Result<store::Rows> rows);
  Status not_own(std::string_view id) const;
  void forget(std::string_view id);

  store::Database& database_;
  const Clock& clock_;
  mutable std::shared_mutex mutex_;  // over own_ and remembered_
  std::string own_;                  // its id; empty: there is none
  std::unordered_map<std::string, Remembered, Hash, std::equal_to<>> remembered_;
};

}  // namespace gatehouse::identity
