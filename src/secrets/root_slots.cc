#include "secrets/root_slots.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypto/hkdf.h"
#include "crypto/password_hash.h"
#include "crypto/random.h"

namespace gatehouse::secrets {
namespace {

constexpr std::string_view kCheckText = "gatehouse keyring";
constexpr std::string_view kCheckContext = "root check", kKeyringKeyContext = "keyring key";

std::int64_t seconds(WallTime time) {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}

crypto::AeadKey wrapping_key(const SecretBytes& root, std::string_view salt) {
  return crypto::AeadKey(crypto::hkdf_sha256(root.expose(), salt, "gatehouse keyring wrapping key 1", 32));
}

// A file and the environment hold the same thing: one may take the other's place.
std::string_view kind_of(const RootKeySource& source) {
  return source.kind == RootKeySource::Kind::passphrase ? "passphrase" : "key";
}

}  // namespace

std::string wrapping_context(std::int64_t key_id) { return fmt::format("keyring key {}", key_id); }

bool opens(const crypto::AeadKey& wrapping, std::string_view check) {
  const auto text = wrapping.open(check, kCheckContext);
  return text && text->expose() == kCheckText;
}

std::optional<crypto::AeadKey> keyring_key(const crypto::AeadKey& wrapping, std::string_view wrapped) {
  if (wrapped.empty()) return crypto::AeadKey(SecretBytes(wrapping.expose()));
  auto key = wrapping.open(wrapped, kKeyringKeyContext);
  if (!key || key->size() != crypto::AeadKey::kKeyBytes) return std::nullopt;
  return crypto::AeadKey(*key);
}

std::string wrap_keyring_key(const crypto::AeadKey& wrapping, const crypto::AeadKey& key) {
  return wrapping.seal(key.expose(), kKeyringKeyContext);
}

Result<std::vector<RootRow>> read_roots(store::Executor& from) {
  auto rows =
      from.run("SELECT id, kind, salt, check_sealed, keyring_key_wrapped, created_at FROM keyring_root ORDER BY id");
  if (!rows) return tl::unexpected(rows.error());
  std::vector<RootRow> roots;
  for (const store::Row& row : rows->rows)
    roots.push_back(
        {row[0].integer(), row[1].text(), row[2].bytes(), row[3].bytes(), row[4].bytes(), row[5].integer()});
  return roots;
}

Result<std::shared_ptr<const OpenedRoot>> open_root(const std::vector<RootRow>& rows, const RootKeySource& source) {
  for (const RootRow& row : rows) {
    if (!row.kind.empty() && row.kind != kind_of(source)) continue;
    auto root = load_root_key(source, row.salt, Missing::refuse);
    if (!root) return tl::unexpected(root.error());
    auto wrapping = wrapping_key(*root, row.salt);
    if (opens(wrapping, row.check)) return std::make_shared<const OpenedRoot>(OpenedRoot{row.id, std::move(wrapping)});
  }
  return std::shared_ptr<const OpenedRoot>();
}

tl::unexpected<Error> not_this_root(const std::vector<RootRow>& rows, const RootKeySource& source) {
  const bool other_kind = !rows.empty() && std::all_of(rows.begin(), rows.end(), [&](const RootRow& row) {
    return !row.kind.empty() && row.kind != kind_of(source);
  });
  if (other_kind) {
    return fail(
        ErrorCode::denied,
        fmt::format("this store is sealed under a {}, and the configuration has a {} ({}): say which in secrets",
                    rows.front().kind, kind_of(source), name_of(source)));
  }
  return fail(ErrorCode::denied,
              fmt::format("the root key ({}) is not the one that this store is sealed under: start with that one (a "
                          "backup needs the root key of its time), or put back the backup that belongs to this one",
                          name_of(source)));
}

Result<NewRoot> make_root(const RootKeySource& source, std::int64_t id, Missing missing,
                          const crypto::AeadKey* keyring_key, const Clock& clock) {
  RootRow row;
  row.id = id;
  row.kind = kind_of(source);
  row.salt = crypto::random_secret(crypto::kPassphraseSaltBytes).expose();
  row.created_s = seconds(clock.wall());
  auto root = load_root_key(source, row.salt, missing);
  if (!root) return tl::unexpected(root.error());
  auto wrapping = wrapping_key(*root, row.salt);
  row.check = wrapping.seal(kCheckText, kCheckContext);
  if (keyring_key != nullptr) row.keyring_key_wrapped = wrap_keyring_key(wrapping, *keyring_key);
  return NewRoot{std::move(row), std::move(wrapping)};
}

Status insert_root(store::Executor& tx, const RootRow& row) {
  store::Value wrapped;
  if (!row.keyring_key_wrapped.empty()) wrapped = store::Bytes{row.keyring_key_wrapped};
  auto added = tx.run(
      "INSERT INTO keyring_root (id, kind, salt, check_sealed, keyring_key_wrapped, created_at) "
      "VALUES ($1, $2, $3, $4, $5, $6)",
      {row.id, row.kind, store::Bytes{row.salt}, store::Bytes{row.check}, std::move(wrapped), row.created_s});
  if (!added) return tl::unexpected(std::move(added.error()));
  return {};
}

}  // namespace gatehouse::secrets
