#include "app/identity/identity_store.h"

#include <algorithm>
#include <array>

#include "app/config/store_options.h"
#include "events/event_keys.h"
#include "events/schema.h"
#include "identity/schema.h"
#include "identity/sealed_columns.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

// Of each second, after a rotation of the keyring: what is sealed anew leaves the store to others most of the time.
constexpr Duration kResealSlice = std::chrono::milliseconds(100);

constexpr auto kSealedColumns = [] {
  std::array<secrets::SealedColumn, identity::kSealedColumns.size() + 1> all;
  std::copy(identity::kSealedColumns.begin(), identity::kSealedColumns.end(), all.begin());
  all.back() = events::kEventKey;
  return all;
}();

}  // namespace

void tell(std::string_view doing, const Status& status) {
  if (!status) GH_LOG(warn, "identity: not done", {"doing", doing}, {"why", status.error().message});
}

Result<std::unique_ptr<IdentityStore>> IdentityStore::open(const gateway::Config& config, Use use, const Clock& clock) {
  auto store = std::make_unique<IdentityStore>();
  auto database = store::open_database(store_options(config), clock);
  if (!database) return tl::unexpected(database.error());
  store->database_ = std::move(*database);
  auto keyring = secrets::Keyring::open(*store->database_, root_key_source(config.secrets, config.data_dir), clock);
  if (!keyring) return tl::unexpected(keyring.error());
  store->keyring_ = std::move(*keyring);
  if (use == Use::events) return store;
  store->cookie_keys_ = std::make_unique<CookieKeys>(*store->keyring_, clock);
  if (auto migrated = store->database_->migrate(identity::kProduct, identity::migrations()); !migrated)
    return tl::unexpected(migrated.error());
  // The keys of events are sealed anew with everything else, whether this gateway keeps events or not.
  if (auto migrated = store->database_->migrate(events::kKeysProduct, events::key_migrations()); !migrated)
    return tl::unexpected(migrated.error());
  store->revocations_ = std::make_unique<identity::Revocations>(*store->database_, clock);
  store->resealer_ = std::make_unique<secrets::Resealer>(*store->database_, *store->keyring_, kSealedColumns, clock);
  if (auto read = store->revocations_->refresh(); !read) return tl::unexpected(read.error());
  return store;
}

void IdentityStore::start() {
  if (!revocations_) return;
  housekeeper_.start(
      [this] {
        tell("reading revocations", revocations_->refresh());
        tell("following the keyring", keyring_->follow());
        cookie_keys_->follow();
        tell("sealing records anew", resealer_->tend(kResealSlice));
      },
      [this] {
        tell("reading the keyring", keyring_->refresh());
        tell("removing what has expired", revocations_->remove_expired());
      });
}

}  // namespace gatehouse::app
