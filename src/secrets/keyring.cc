#include "secrets/keyring.h"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <mutex>

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"
#include "secrets/root_key.h"
#include "secrets/schema.h"

namespace gatehouse::secrets {
namespace {

// A sealed value: this byte, the key's id (32 bits, most significant first), nonce, ciphertext, tag.
constexpr char kFormat = 1;
constexpr std::size_t kHeaderBytes = 5;
constexpr std::string_view kCheckText = "gatehouse keyring";
constexpr std::uint32_t kDerivationId = 0;

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

std::string associated(std::string_view path, std::uint64_t version) {
  return fmt::format("{}{}{}", path, '\0', version);
}

std::string wrapping_context(std::int64_t id) { return fmt::format("keyring key {}", id); }

crypto::AeadKey wrapping_key(const SecretBytes& root, std::string_view salt) {
  return crypto::AeadKey(crypto::hkdf_sha256(root.expose(), salt, "gatehouse keyring wrapping key 1", 32));
}

// What the store has, unwrapped. Immutable.
struct Keys {
  std::map<std::uint32_t, crypto::AeadKey> keys;
  std::uint32_t current = 0;
  std::vector<KeyView> views;
};

class StoredKeyring final : public Keyring {
 public:
  StoredKeyring(store::Database& database, const Clock& clock, crypto::AeadKey wrapping)
      : database_(database), clock_(clock), wrapping_(std::move(wrapping)) {}

  Status refresh() override {
    auto keys = read(database_);
    if (!keys) return tl::unexpected(keys.error());
    keys_.store(std::move(*keys));
    return {};
  }

  Result<std::string> seal(std::string_view path, std::uint64_t version, std::string_view plain) override {
    const auto keys = keys_.load();
    const std::uint32_t id = keys->current;
    std::string sealed;
    sealed += kFormat;
    for (int shift = 24; shift >= 0; shift -= 8) sealed += static_cast<char>(id >> shift & 0xff);
    sealed += keys->keys.at(id).seal(plain, associated(path, version));
    return sealed;
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
    auto done = database_.transact([&](store::Executor& tx) -> Status {
      auto newest = tx.run("SELECT MAX(id) FROM keyring_keys");
      if (!newest) return tl::unexpected(newest.error());
      if (auto old = tx.run("UPDATE keyring_keys SET state = 'previous' WHERE state = 'current'"); !old)
        return tl::unexpected(old.error());
      return add_key(tx, newest->rows.front()[0].integer() + 1, "current");
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

  Status add_key(store::Executor& in, std::int64_t id, std::string_view state) {
    const crypto::AeadKey key = crypto::AeadKey::generate();
    auto added =
        in.run("INSERT INTO keyring_keys (id, key_wrapped, state, created_at) VALUES ($1, $2, $3, $4)",
               {id, store::Bytes{wrapping_.seal(key.expose(), wrapping_context(id))}, state, seconds(clock_.wall())});
    if (!added) return tl::unexpected(added.error());
    return {};
  }

 private:
  Result<std::shared_ptr<const Keys>> read(store::Executor& from) const {
    auto rows = from.run("SELECT id, key_wrapped, state, created_at FROM keyring_keys ORDER BY id");
    if (!rows) return tl::unexpected(rows.error());
    auto keys = std::make_shared<Keys>();
    for (const store::Row& row : rows->rows) {
      const auto id = static_cast<std::uint32_t>(row[0].integer());
      auto key = wrapping_.open(row[1].bytes(), wrapping_context(row[0].integer()));
      if (!key || key->size() != crypto::AeadKey::kKeyBytes)
        return fail(ErrorCode::invalid, fmt::format("key {} of the keyring does not open: it was changed", id));
      keys->keys.emplace(id, crypto::AeadKey(*key));
      if (row[2].text() == "current") keys->current = id;
      if (id != kDerivationId)
        keys->views.push_back({id, row[2].text(), WallTime(std::chrono::seconds(row[3].integer()))});
    }
    if (keys->current == 0 || !keys->keys.contains(kDerivationId))
      return fail(ErrorCode::invalid, "the keyring is not whole");
    return keys;
  }

  store::Database& database_;
  const Clock& clock_;
  const crypto::AeadKey wrapping_;
  std::atomic<std::shared_ptr<const Keys>> keys_;
};

struct Root {
  std::string salt, check;
};

Result<std::optional<Root>> read_root(store::Executor& from) {
  auto rows = from.run("SELECT salt, check_sealed FROM keyring_root WHERE id = 1");
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return Root{rows->rows.front()[0].bytes(), rows->rows.front()[1].bytes()};
}

}  // namespace

Result<std::unique_ptr<Keyring>> Keyring::open(store::Database& database, const RootKeySource& source,
                                               const Clock& clock) {
  if (auto done = database.migrate(kProduct, migrations()); !done) return tl::unexpected(done.error());
  auto root = read_root(database);
  if (!root) return tl::unexpected(root.error());
  std::unique_ptr<StoredKeyring> keyring;
  const auto with = [&](const Root& stored, Missing missing) -> Status {
    auto key = load_root_key(source, stored.salt, missing);
    if (!key) return tl::unexpected(key.error());
    auto wrapping = wrapping_key(*key, stored.salt);
    if (!stored.check.empty()) {
      const auto check = wrapping.open(stored.check, "root check");
      if (!check || check->expose() != kCheckText)
        return fail(
            ErrorCode::denied,
            fmt::format("the root key ({}) is not the one that this store is sealed under: start with that one, or "
                        "put back the backup that belongs to this one",
                        name_of(source)));
    }
    keyring = std::make_unique<StoredKeyring>(database, clock, std::move(wrapping));
    return {};
  };
  if (!*root) {
    SecretBytes salt = crypto::random_secret(crypto::kPassphraseSaltBytes);
    const Root fresh{std::string(salt.expose()), {}};
    auto key = load_root_key(source, fresh.salt, Missing::create);
    if (!key) return tl::unexpected(key.error());
    auto wrapping = wrapping_key(*key, fresh.salt);
    const std::string check = wrapping.seal(kCheckText, "root check");
    keyring = std::make_unique<StoredKeyring>(database, clock, std::move(wrapping));
    auto made = database.transact([&](store::Executor& tx) -> Status {
      auto stored = tx.run("INSERT INTO keyring_root (id, salt, check_sealed, created_at) VALUES (1, $1, $2, $3)",
                           {store::Bytes{fresh.salt}, store::Bytes{check}, seconds(clock.wall())});
      if (!stored) return tl::unexpected(stored.error());
      if (auto added = keyring->add_key(tx, kDerivationId, "derivation"); !added) return added;
      return keyring->add_key(tx, 1, "current");
    });
    // Another gateway was faster: its keyring is the one.
    if (!made && made.error().code != ErrorCode::conflict) return tl::unexpected(made.error());
    root = read_root(database);
    if (!root) return tl::unexpected(root.error());
    if (!*root) return fail(ErrorCode::internal, "the keyring that was made is not there");
  }
  if (auto opened = with(**root, Missing::refuse); !opened) return tl::unexpected(opened.error());
  if (auto read = keyring->refresh(); !read) return tl::unexpected(read.error());
  return keyring;
}

}  // namespace gatehouse::secrets
