#include "secrets/keyring.h"

#include <fmt/format.h>

#include <atomic>
#include <map>

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "secrets/root_slots.h"
#include "secrets/schema.h"

namespace gatehouse::secrets {
namespace {

// A sealed value: this byte, the key's id (32 bits, most significant first), nonce, ciphertext, tag.
constexpr char kFormat = 1;
constexpr std::size_t kHeaderBytes = 5;
constexpr std::uint32_t kDerivationId = 0;

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string associated(std::string_view path, std::uint64_t version) {
  return fmt::format("{}{}{}", path, '\0', version);
}

tl::unexpected<Error> changed_key(std::int64_t id) {
  return fail(ErrorCode::invalid, fmt::format("key {} of the keyring does not open: it was changed", id));
}

Status add_key(store::Executor& in, const crypto::AeadKey& keyring_key, std::int64_t id, std::string_view state,
               const Clock& clock) {
  const crypto::AeadKey key = crypto::AeadKey::generate();
  auto added =
      in.run("INSERT INTO keyring_keys (id, key_wrapped, state, created_at) VALUES ($1, $2, $3, $4)",
             {id, store::Bytes{keyring_key.seal(key.expose(), wrapping_context(id))}, state, seconds(clock.wall())});
  if (!added) return tl::unexpected(added.error());
  return {};
}

// Keys that are older than this are read again before anything is sealed with them. Much less than what a key is kept
// for once nothing is sealed with it (Resealer::kKeepKey).
constexpr Duration kReadMax = std::chrono::minutes(10);

// What the store has, unwrapped. Immutable.
struct Keys {
  MonotonicTime read_at;
  std::map<std::uint32_t, crypto::AeadKey> keys;
  std::uint32_t current = 0;
  std::vector<KeyView> views;
};

class StoredKeyring final : public Keyring {
 public:
  StoredKeyring(store::Database& database, const Clock& clock, const RootKeySource& source,
                std::shared_ptr<const OpenedRoot> root)
      : database_(database), clock_(clock), source_(source), root_(std::move(root)) {}

  Status refresh() override {
    auto keys = read();
    if (!keys) return tl::unexpected(keys.error());
    keys_.store(std::move(*keys));
    return {};
  }

  Status follow() override {
    // Ids only grow: with the number of the keys, the last one tells what has come or gone.
    auto rows = database_.run("SELECT COUNT(*), MAX(id) FROM keyring_keys");
    if (!rows) return tl::unexpected(rows.error());
    if (rows->rows[0][1].is_null()) return not_whole();
    const auto count = static_cast<std::size_t>(rows->rows[0][0].integer());
    const std::int64_t last = rows->rows[0][1].integer();
    const auto keys = keys_.load();
    if (keys->keys.size() == count && keys->keys.rbegin()->first == last) return {};
    // What could not be read (another root key) is left to `refresh`: a passphrase is dear to try.
    if (unread_.exchange(last) == last) return {};
    auto read_again = refresh();
    if (read_again) unread_ = 0;
    return read_again;
  }

  Result<std::string> seal(std::string_view path, std::uint64_t version, std::string_view plain) override {
    auto keys = keys_.load();
    // With a key that others may have removed meanwhile, nobody would open it again.
    if (clock_.now() - keys->read_at > kReadMax) {
      if (auto read_again = refresh(); !read_again) return tl::unexpected(read_again.error());
      keys = keys_.load();
    }
    return sealed_header(keys->current) + keys->keys.at(keys->current).seal(plain, associated(path, version));
  }

  Result<SecretBytes> open(std::string_view path, std::uint64_t version, std::string_view sealed) override {
    const auto id = key_of(sealed);
    if (!id) return fail(ErrorCode::invalid, fmt::format("{} is not a sealed value", path));
    auto keys = keys_.load();
    auto key = keys->keys.find(*id);
    if (key == keys->keys.end()) {
      // Another gateway has made a new one, perhaps.
      if (auto read_again = refresh(); !read_again) return tl::unexpected(read_again.error());
      keys = keys_.load();
      key = keys->keys.find(*id);
      if (key == keys->keys.end())
        return fail(ErrorCode::unavailable, fmt::format("{} is sealed with key {}, which is not here", path, *id));
    }
    auto plain = key->second.open(sealed.substr(kHeaderBytes), associated(path, version));
    if (!plain) return fail(ErrorCode::invalid, fmt::format("{} does not open: it was changed or moved", path));
    return std::move(*plain);
  }

  SecretBytes derive(std::string_view purpose) const override {
    const auto keys = keys_.load();
    return crypto::hkdf_sha256(keys->keys.at(kDerivationId).expose(), {}, purpose, 32);
  }

  std::optional<SecretBytes> derive_from(std::uint32_t id, std::string_view purpose) const override {
    const auto keys = keys_.load();
    const auto key = keys->keys.find(id);
    if (key == keys->keys.end() || id == kDerivationId) return std::nullopt;
    return crypto::hkdf_sha256(key->second.expose(), {}, purpose, 32);
  }

  std::vector<KeyView> keys() const override { return keys_.load()->views; }
  std::uint32_t current_key() const override { return keys_.load()->current; }

  std::optional<std::uint32_t> key_of(std::string_view sealed) const override {
    if (sealed.size() < kHeaderBytes + crypto::AeadKey::kOverheadBytes || sealed[0] != kFormat) return std::nullopt;
    std::uint32_t id = 0;
    for (std::size_t i = 1; i < kHeaderBytes; ++i) id = id << 8 | static_cast<unsigned char>(sealed[i]);
    if (id == kDerivationId) return std::nullopt;
    return id;
  }

  Status rotate() override {
    if (auto read = refresh(); !read) return read;  // the root key may have been rotated meanwhile
    auto done = database_.transact([&](store::Executor& tx) -> Status {
      const auto root = root_.load();
      auto rows = tx.run(
          "SELECT (SELECT MAX(id) FROM keyring_keys), check_sealed, keyring_key_wrapped FROM keyring_root WHERE id = "
          "$1",
          {root->id});
      if (!rows) return tl::unexpected(rows.error());
      if (rows->empty() || !opens(root->wrapping, rows->rows[0][1].bytes()))
        return fail(ErrorCode::unavailable, "the root key was rotated: this gateway has not read the new one yet");
      const auto key = keyring_key(root->wrapping, rows->rows[0][2].bytes());
      if (!key) return fail(ErrorCode::invalid, "the keyring's own key does not open: it was changed");
      if (auto old = tx.run("UPDATE keyring_keys SET state = 'previous' WHERE state = 'current'"); !old)
        return tl::unexpected(old.error());
      return add_key(tx, *key, rows->rows[0][0].integer() + 1, "current", clock_);
    });
    if (!done) return done;
    return refresh();
  }

  Status remove_key(std::uint32_t id) override {
    auto removed = database_.run("DELETE FROM keyring_keys WHERE id = $1 AND state = 'previous'", {id});
    if (!removed) return tl::unexpected(removed.error());
    if (removed->changed == 0) return fail(ErrorCode::not_found, fmt::format("there is no retired key {}", id));
    return refresh();
  }

 private:
  // Keys and the key that wraps them in one statement: a rotation of the root changes both.
  Result<std::shared_ptr<const Keys>> read() {
    const MonotonicTime began = clock_.now();
    for (int tries = 0;; ++tries) {
      const auto root = root_.load();
      auto rows = database_.run(
          "SELECT k.id, k.key_wrapped, k.state, k.created_at, r.check_sealed, r.keyring_key_wrapped "
          "FROM keyring_keys k LEFT JOIN keyring_root r ON r.id = $1 ORDER BY k.id",
          {root->id});
      if (!rows) return tl::unexpected(rows.error());
      if (rows->empty()) return not_whole();
      if (opens(root->wrapping, rows->rows[0][4].bytes())) return unwrap(*root, *rows, began);
      if (tries > 0) return fail(ErrorCode::unavailable, "the root key is being rotated");
      // Our root key is out: the file may have the new one.
      auto all = read_roots(database_);
      if (!all) return tl::unexpected(all.error());
      auto again = open_root(*all, source_);
      if (!again) return tl::unexpected(again.error());
      if (!*again) return not_this_root(*all, source_);
      root_.store(std::move(*again));
    }
  }

  static Result<std::shared_ptr<const Keys>> unwrap(const OpenedRoot& root, const store::Rows& rows,
                                                    MonotonicTime began) {
    const auto wrapping = keyring_key(root.wrapping, rows.rows[0][5].bytes());
    if (!wrapping) return fail(ErrorCode::invalid, "the keyring's own key does not open: it was changed");
    auto keys = std::make_shared<Keys>();
    keys->read_at = began;
    for (const store::Row& row : rows.rows) {
      const auto id = static_cast<std::uint32_t>(row[0].integer());
      auto key = wrapping->open(row[1].bytes(), wrapping_context(row[0].integer()));
      if (!key || key->size() != crypto::AeadKey::kKeyBytes) return changed_key(row[0].integer());
      keys->keys.emplace(id, crypto::AeadKey(*key));
      if (row[2].text() == "current") keys->current = id;
      if (id != kDerivationId)
        keys->views.push_back({id, row[2].text(), WallTime(std::chrono::seconds(row[3].integer()))});
    }
    if (keys->current == 0 || !keys->keys.contains(kDerivationId)) return not_whole();
    return keys;
  }

  static tl::unexpected<Error> not_whole() { return fail(ErrorCode::invalid, "the keyring is not whole"); }

  store::Database& database_;
  const Clock& clock_;
  const RootKeySource source_;
  std::atomic<std::shared_ptr<const OpenedRoot>> root_;
  std::atomic<std::shared_ptr<const Keys>> keys_;
  std::atomic<std::int64_t> unread_{0};  // the last key that there was when `follow` could not read them; 0: it could
};

// The first: made whole, or found made by another gateway that was faster.
Status make_keyring(store::Database& database, const RootKeySource& source, const Clock& clock) {
  auto root = make_root(source, 1, Missing::create, nullptr, clock);
  if (!root) return tl::unexpected(root.error());
  auto made = database.transact([&](store::Executor& tx) -> Status {
    if (auto stored = insert_root(tx, root->row); !stored) return stored;
    if (auto added = add_key(tx, root->wrapping, kDerivationId, "derivation", clock); !added) return added;
    return add_key(tx, root->wrapping, 1, "current", clock);
  });
  if (!made && made.error().code != ErrorCode::conflict) return made;
  return {};
}

}  // namespace

std::string sealed_header(std::uint32_t key) {
  std::string header(1, kFormat);
  for (int shift = 24; shift >= 0; shift -= 8) header += static_cast<char>(key >> shift & 0xff);
  return header;
}

Result<std::unique_ptr<Keyring>> Keyring::open(store::Database& database, const RootKeySource& source,
                                               const Clock& clock) {
  if (auto done = database.migrate(kProduct, migrations()); !done) return tl::unexpected(done.error());
  auto roots = read_roots(database);
  if (!roots) return tl::unexpected(roots.error());
  if (roots->empty()) {
    if (auto made = make_keyring(database, source, clock); !made) return tl::unexpected(made.error());
    roots = read_roots(database);
    if (!roots) return tl::unexpected(roots.error());
  }
  auto root = open_root(*roots, source);
  if (!root) return tl::unexpected(root.error());
  if (!*root) return not_this_root(*roots, source);
  auto keyring = std::make_unique<StoredKeyring>(database, clock, source, std::move(*root));
  if (auto read = keyring->refresh(); !read) return tl::unexpected(read.error());
  return keyring;
}

}  // namespace gatehouse::secrets
