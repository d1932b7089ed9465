#include "secrets/root_rotation.h"

#include <fmt/format.h>

#include "secrets/root_slots.h"
#include "secrets/schema.h"

namespace gatehouse::secrets {
namespace {

struct Found {
  std::vector<RootRow> rows;
  std::shared_ptr<const OpenedRoot> root;  // null: none of them
};

// Outside a transaction: a passphrase takes its time.
Result<Found> look(store::Database& database, const RootKeySource& source) {
  if (auto done = database.migrate(kProduct, migrations()); !done) return tl::unexpected(done.error());
  auto rows = read_roots(database);
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return fail(ErrorCode::not_found, "this store has no keyring yet: start the gateway once");
  auto root = open_root(*rows, source);
  if (!root) return tl::unexpected(root.error());
  return Found{std::move(*rows), std::move(*root)};
}

// As `found`, in a transaction: has nobody changed it meanwhile?
Result<RootRow> same_root(store::Executor& tx, const Found& found) {
  auto rows = read_roots(tx);
  if (!rows) return tl::unexpected(std::move(rows.error()));
  if (rows->size() != found.rows.size() || rows->back().id != found.rows.back().id)
    return fail(ErrorCode::conflict, "the root key is being rotated by another");
  for (const RootRow& row : *rows) {
    if (row.id == found.root->id && opens(found.root->wrapping, row.check)) return row;
  }
  return fail(ErrorCode::conflict, "the root key is being rotated by another");
}

tl::unexpected<Error> changed() {
  return fail(ErrorCode::invalid, "the keyring's own key does not open: it was changed");
}

}  // namespace

Result<std::vector<RootView>> root_keys(store::Database& database) {
  auto rows = read_roots(database);
  if (!rows) return tl::unexpected(rows.error());
  std::vector<RootView> views;
  for (const RootRow& row : *rows) views.push_back({row.id, row.kind, WallTime(std::chrono::seconds(row.created_s))});
  return views;
}

Result<std::optional<std::int64_t>> find_root(store::Database& database, const RootKeySource& source) {
  auto found = look(database, source);
  if (!found) return tl::unexpected(found.error());
  return found->root ? std::optional(found->root->id) : std::nullopt;
}

Status add_root(store::Database& database, const RootKeySource& now, const RootKeySource& next, const Clock& clock) {
  auto found = look(database, now);
  if (!found) return tl::unexpected(found.error());
  if (!found->root) return not_this_root(found->rows, now);
  auto there = open_root(found->rows, next);
  if (!there) return tl::unexpected(there.error());
  if (*there) return {};
  if (found->rows.size() > 1)
    return fail(ErrorCode::conflict, "two root keys open this store already: finish that rotation first");
  auto wrapping = keyring_key(found->root->wrapping, found->rows.front().keyring_key_wrapped);
  if (!wrapping) return changed();
  auto made = make_root(next, found->rows.back().id + 1, Missing::refuse, &*wrapping, clock);
  if (!made) return tl::unexpected(made.error());
  return database.transact([&](store::Executor& tx) -> Status {
    if (auto same = same_root(tx, *found); !same) return tl::unexpected(same.error());
    return insert_root(tx, made->row);
  });
}

Result<std::size_t> remove_other_roots(store::Database& database, const RootKeySource& source) {
  auto found = look(database, source);
  if (!found) return tl::unexpected(found.error());
  if (!found->root) return not_this_root(found->rows, source);
  if (found->rows.size() == 1) return std::size_t{0};
  auto done = database.transact([&](store::Executor& tx) -> Status {
    auto row = same_root(tx, *found);
    if (!row) return tl::unexpected(row.error());
    const auto before = keyring_key(found->root->wrapping, row->keyring_key_wrapped);
    if (!before) return changed();
    const crypto::AeadKey after = crypto::AeadKey::generate();
    auto keys = tx.run("SELECT id, key_wrapped FROM keyring_keys");
    if (!keys) return tl::unexpected(std::move(keys.error()));
    for (const store::Row& key : keys->rows) {
      const std::string context = wrapping_context(key[0].integer());
      const auto plain = before->open(key[1].bytes(), context);
      if (!plain) return fail(ErrorCode::invalid, fmt::format("{} does not open: it was changed", context));
      auto wrapped = tx.run("UPDATE keyring_keys SET key_wrapped = $1 WHERE id = $2",
                            {store::Bytes{after.seal(plain->expose(), context)}, key[0]});
      if (!wrapped) return tl::unexpected(std::move(wrapped.error()));
    }
    auto own = tx.run("UPDATE keyring_root SET keyring_key_wrapped = $1 WHERE id = $2",
                      {store::Bytes{wrap_keyring_key(found->root->wrapping, after)}, row->id});
    if (!own) return tl::unexpected(std::move(own.error()));
    auto others = tx.run("DELETE FROM keyring_root WHERE id <> $1", {row->id});
    if (!others) return tl::unexpected(std::move(others.error()));
    return {};
  });
  if (!done) return tl::unexpected(done.error());
  return found->rows.size() - 1;
}

}  // namespace gatehouse::secrets
