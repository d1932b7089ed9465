#include "identity/sessions/revocations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "crypto/digest.h"
#include "identity/seconds.h"
#include "telemetry/log.h"

namespace gatehouse::identity {
namespace {

// 128 bits of a digest: nobody finds two ids that share them.
struct Key {
  std::uint64_t high = 0, low = 0;
  bool operator==(const Key&) const = default;
};
struct HashOfKey {
  std::size_t operator()(const Key& key) const noexcept { return key.low; }
};
struct Entry {
  std::int64_t at_s = 0, expires_s = 0;
};
using Entries = std::unordered_map<Key, Entry, HashOfKey>;

Key key_of(std::string_view kind, std::string_view id) noexcept {
  // Ids are short; what is longer cannot be one, and is told apart by its digest all the same.
  char text[160];
  const std::size_t kind_bytes = kind.size(), id_bytes = std::min(id.size(), sizeof text - kind_bytes - 1);
  std::memcpy(text, kind.data(), kind_bytes);
  text[kind_bytes] = ':';
  if (id_bytes > 0) std::memcpy(text + kind_bytes + 1, id.data(), id_bytes);
  const crypto::Sha256 digest = crypto::sha256({text, kind_bytes + 1 + id_bytes});
  Key key;
  std::memcpy(&key, digest.data(), sizeof key);
  return key;
}

constexpr std::size_t kReadMax = 10'000;  // rows in one reading
constexpr std::size_t kRecentMax = 1024;

}  // namespace

// Two sets, so that an addition copies the small one only.
struct Revocations::Snapshot {
  std::shared_ptr<const Entries> settled = std::make_shared<const Entries>();
  Entries recent;
  std::int64_t overflow_s = 0;  // whatever was issued up to this moment is over

  const Entry* find(const Key& key) const noexcept {
    if (const auto found = recent.find(key); found != recent.end()) return &found->second;
    if (const auto found = settled->find(key); found != settled->end()) return &found->second;
    return nullptr;
  }
  std::size_t size() const noexcept { return settled->size() + recent.size(); }
};

std::string_view name_of(RevokedKind kind) noexcept {
  switch (kind) {
    case RevokedKind::token: return "token";
    case RevokedKind::grant: return "grant";
    case RevokedKind::session: return "session";
    case RevokedKind::user: break;
  }
  return "user";
}

Revocations::Revocations(store::Database& database, const Clock& clock, std::size_t entries_max)
    : database_(database), clock_(clock), entries_max_(entries_max), snapshot_(std::make_shared<const Snapshot>()) {}

Revocations::~Revocations() = default;

Status Revocations::add(store::Executor& in, RevokedKind kind, std::string_view id, std::int64_t expires_s) {
  const auto number = in.run(
      "INSERT INTO revocation_numbers (one, last) VALUES (1, 1) "
      "ON CONFLICT (one) DO UPDATE SET last = revocation_numbers.last + 1 RETURNING last");
  if (!number) return tl::unexpected(number.error());
  const auto added = in.run("INSERT INTO revocations (number, kind, id, at, expires_at) VALUES ($1, $2, $3, $4, $5)",
                            {number->rows.at(0).at(0), name_of(kind), id, seconds_of(clock_.wall()), expires_s});
  if (!added) return tl::unexpected(added.error());
  return {};
}

Status Revocations::add(RevokedKind kind, std::string_view id, std::int64_t expires_s) {
  auto added = database_.transact([&](store::Executor& tx) -> Status { return add(tx, kind, id, expires_s); });
  if (!added) return added;
  return refresh();
}

std::shared_ptr<const Revocations::Snapshot> Revocations::merged(const Snapshot& before,
                                                                 const store::Rows& rows) const {
  auto after = std::make_shared<Snapshot>(before);
  const std::int64_t now_s = seconds_of(clock_.wall());
  for (const store::Row& row : rows.rows) {
    Entry entry{row[3].integer(), row[4].integer()};
    if (entry.expires_s <= now_s) continue;
    const Key key = key_of(row[1].text(), row[2].text());
    // The last of several for one id covers the most, as long as any of them.
    if (const Entry* known = after->find(key)) entry.expires_s = std::max(entry.expires_s, known->expires_s);
    after->recent[key] = entry;
  }
  if (after->recent.size() > kRecentMax) {
    auto settled = std::make_shared<Entries>();
    const auto keep = [&](const auto& entry) { return entry.second.expires_s > now_s; };
    for (const auto& entry : *after->settled) {
      if (keep(entry)) settled->insert(entry);
    }
    for (const auto& entry : after->recent) {
      if (keep(entry)) settled->insert_or_assign(entry.first, entry.second);
    }
    after->settled = std::move(settled);
    after->recent.clear();
  }
  if (after->size() > entries_max_) {
    GH_LOG(error, "too many revocations to remember: whatever was issued until now counts as revoked",
           {"entries", after->size()});
    after->settled = std::make_shared<const Entries>();
    after->recent.clear();
    after->overflow_s = now_s;
  }
  return after;
}

Status Revocations::refresh() {
  const std::lock_guard lock(mutex_);
  while (true) {
    const auto rows = database_.run(
        "SELECT number, kind, id, at, expires_at FROM revocations WHERE number > $1 ORDER BY number LIMIT $2",
        {last_, kReadMax});
    if (!rows) return tl::unexpected(rows.error());
    if (!rows->empty()) {
      snapshot_.store(merged(*snapshot_.load(), *rows));
      last_ = rows->rows.back()[0].integer();
    }
    if (rows->rows.size() < kReadMax) break;
  }
  refreshed_.store(clock_.now().time_since_epoch().count(), std::memory_order_relaxed);
  return {};
}

Status Revocations::remove_expired() {
  const auto removed = database_.run(
      "DELETE FROM revocations WHERE number IN (SELECT number FROM revocations WHERE expires_at < $1 LIMIT 1000)",
      {seconds_of(clock_.wall())});
  if (!removed) return tl::unexpected(removed.error());
  return {};
}

bool Revocations::covers(RevokedKind kind, std::string_view id, std::int64_t issued_s) const noexcept {
  const std::shared_ptr<const Snapshot> known = snapshot_.load();
  if (issued_s <= known->overflow_s) return true;
  if (known->size() == 0) return false;
  const Entry* const entry = known->find(key_of(name_of(kind), id));
  if (entry == nullptr) return false;
  return kind != RevokedKind::user || issued_s < entry->at_s;
}

std::size_t Revocations::size() const noexcept { return snapshot_.load()->size(); }

}  // namespace gatehouse::identity
