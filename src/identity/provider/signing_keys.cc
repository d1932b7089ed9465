#include "identity/provider/signing_keys.h"

#include <algorithm>

#include "identity/sealed_columns.h"
#include "identity/seconds.h"

namespace gatehouse::identity {

std::string_view state_at(const SigningKeyView& view, WallTime now) noexcept {
  if (now < view.signs_from) return "next";
  return now < view.signs_until ? "signing" : "previous";
}

const crypto::SigningKey* SigningKeySet::signer(crypto::JoseAlgorithm algorithm, WallTime now) const noexcept {
  // The newest that may sign; when the clock has outrun the schedule (no refresh for a month), the newest there is.
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.algorithm != algorithm || entry.view.signs_from > now) continue;
    if (best == nullptr || entry.view.signs_from > best->view.signs_from) best = &entry;
  }
  return best == nullptr ? nullptr : &best->key;
}

std::shared_ptr<const SigningKeySet> SigningKeys::current() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

Result<SigningKeys::Entries> SigningKeys::read(store::Executor& from) {
  auto rows = from.run(
      "SELECT id, algorithm, key_sealed, version, created_at, signs_from_at, signs_until_at, published_until_at "
      "FROM signing_keys ORDER BY signs_from_at, id");
  if (!rows) return tl::unexpected(rows.error());
  Entries entries;
  for (const store::Row& row : rows->rows) {
    const auto algorithm = crypto::parse_jose_algorithm(row[1].text());
    if (!algorithm) continue;  // of a newer program
    auto bytes =
        keyring_.open(kSigningKey.path(row[0].text()), static_cast<std::uint64_t>(row[3].integer()), row[2].bytes());
    if (!bytes) return tl::unexpected(std::move(bytes.error()).while_("signing key " + row[0].text()));
    auto key = crypto::SigningKey::from_pkcs8(*bytes, *algorithm);
    if (!key) return tl::unexpected(std::move(key.error()).while_("signing key " + row[0].text()));
    SigningKeyView view{row[0].text(),
                        row[1].text(),
                        time_of(row[4].integer()),
                        time_of(row[5].integer()),
                        time_of(row[6].integer()),
                        time_of(row[7].integer())};
    entries.push_back({std::move(view), *algorithm, std::move(*key)});
  }
  return entries;
}

Result<SigningKeySet::Entry> SigningKeys::make(store::Executor& in, crypto::JoseAlgorithm algorithm, WallTime from) {
  auto key = crypto::SigningKey::generate(algorithm);
  if (!key) return tl::unexpected(key.error());
  SigningKeyView view{key->id(),
                      std::string(crypto::name_of(algorithm)),
                      clock_.wall(),
                      from,
                      from + options_.rotation,
                      from + options_.rotation + kKeepAfter};
  auto sealed = keyring_.seal(kSigningKey.path(view.id), 1, key->pkcs8().expose());
  if (!sealed) return tl::unexpected(sealed.error());
  auto stored = in.run(
      "INSERT INTO signing_keys (id, algorithm, key_sealed, version, created_at, signs_from_at, signs_until_at, "
      "published_until_at) VALUES ($1, $2, $3, 1, $4, $5, $6, $7)",
      {view.id, view.algorithm, store::Bytes{std::move(*sealed)}, seconds_of(view.created), seconds_of(view.signs_from),
       seconds_of(view.signs_until), seconds_of(view.published_until)});
  if (!stored) return tl::unexpected(stored.error());
  return SigningKeySet::Entry{std::move(view), algorithm, std::move(*key)};
}

Status SigningKeys::keep_schedule(store::Executor& in, Entries& entries) {
  const WallTime now = clock_.wall();
  for (const crypto::JoseAlgorithm algorithm : options_.algorithms) {
    WallTime last{};
    for (const auto& entry : entries) {
      if (entry.algorithm == algorithm) last = std::max(last, entry.view.signs_until);
    }
    if (last > now + kPublishAhead) continue;
    // The first key signs at once: there is nobody yet who has cached a set without it.
    auto made = make(in, algorithm, std::max(last, now));
    if (!made) return tl::unexpected(made.error());
    entries.push_back(std::move(*made));
  }
  const auto gone = [&](const auto& entry) { return entry.view.published_until <= now; };
  if (std::none_of(entries.begin(), entries.end(), gone)) return {};
  std::erase_if(entries, gone);
  if (auto removed = in.run("DELETE FROM signing_keys WHERE published_until_at <= $1", {seconds_of(now)}); !removed)
    return tl::unexpected(removed.error());
  return {};
}

Status SigningKeys::publish(Entries entries) {
  std::string jwks = R"({"keys":[)";
  for (auto& entry : entries) {
    if (jwks.back() == '}') jwks += ',';
    jwks += entry.key.public_jwk();
  }
  jwks += "]}";
  auto verifying = crypto::KeySet::parse(jwks);
  if (!verifying) return tl::unexpected(verifying.error());
  auto set = std::make_shared<const SigningKeySet>(std::move(entries), std::move(*verifying), std::move(jwks));
  const std::lock_guard lock(mutex_);
  current_ = std::move(set);
  return {};
}

Status SigningKeys::refresh() {
  Entries entries;
  const auto body = [&](store::Executor& tx) -> Status {
    auto found = read(tx);
    if (!found) return tl::unexpected(found.error());
    entries = std::move(*found);
    return keep_schedule(tx, entries);
  };
  // In one transaction, so that two gateways that start together don't both make the next key.
  if (auto done = database_.transact(body); !done) return done;
  return publish(std::move(entries));
}

Status SigningKeys::follow() {
  auto rows = database_.run("SELECT id FROM signing_keys ORDER BY signs_from_at, id");
  if (!rows) return tl::unexpected(rows.error());
  const auto known = current();
  const bool same = known != nullptr &&
                    std::equal(rows->rows.begin(), rows->rows.end(), known->entries().begin(), known->entries().end(),
                               [](const store::Row& row, const auto& entry) { return row[0].text() == entry.view.id; });
  return same ? Status{} : refresh();
}

Status SigningKeys::rotate_now() {
  const auto body = [&](store::Executor& tx) -> Status {
    const WallTime now = clock_.wall();
    auto over = tx.run("UPDATE signing_keys SET signs_until_at = $1, published_until_at = $2 WHERE signs_until_at > $1",
                       {seconds_of(now), seconds_of(now + kKeepAfter)});
    if (!over) return tl::unexpected(over.error());
    for (const crypto::JoseAlgorithm algorithm : options_.algorithms) {
      if (auto made = make(tx, algorithm, now + kEverywhere); !made) return tl::unexpected(made.error());
    }
    return {};
  };
  if (auto done = database_.transact(body); !done) return done;
  return refresh();
}

}  // namespace gatehouse::identity
