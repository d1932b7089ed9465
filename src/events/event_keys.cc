#include "events/event_keys.h"

#include "crypto/random.h"
#include "events/schema.h"

namespace gatehouse::events {

Result<EventKeys::Key> EventKeys::opened(const std::string& id, std::uint64_t version, const std::string& sealed) {
  auto plain = keyring_.open(kEventKey.path(id), version, sealed);
  if (!plain) return tl::unexpected(std::move(plain.error()));
  if (plain->size() != crypto::AeadKey::kKeyBytes) return fail(ErrorCode::invalid, "a key of events is damaged");
  Key key = std::make_shared<const crypto::AeadKey>(*plain);
  const std::lock_guard lock(mutex_);
  known_[id] = key;
  return key;
}

Result<EventKeys::Named> EventKeys::current() {
  const std::int64_t now = milliseconds_of(clock_.wall());
  const auto is_fresh = [&](std::int64_t since) {
    return since <= now && now - since < kAgeMax / std::chrono::milliseconds(1);
  };
  {
    const std::lock_guard lock(mutex_);
    if (!current_.empty() && is_fresh(current_since_ms_)) return Named{current_, known_[current_]};
  }
  // Another gateway's will do, and ours from before a restart.
  auto rows = database_.run("SELECT id, since_ms, version, key_sealed FROM event_keys ORDER BY since_ms DESC LIMIT 1");
  if (!rows) return tl::unexpected(std::move(rows.error()));
  Named named;
  std::int64_t since = now;
  if (const store::Row* row = rows->first(); row != nullptr && is_fresh((*row)[1].integer())) {
    named.id = (*row)[0].text();
    since = (*row)[1].integer();
    auto key = opened(named.id, static_cast<std::uint64_t>((*row)[2].integer()), (*row)[3].bytes());
    if (!key) return tl::unexpected(std::move(key.error()));
    named.key = std::move(*key);
  } else {
    named.id = crypto::random_token();
    const crypto::AeadKey made = crypto::AeadKey::generate();
    auto sealed = keyring_.seal(kEventKey.path(named.id), 1, made.expose());
    if (!sealed) return tl::unexpected(std::move(sealed.error()));
    const auto added =
        database_.run("INSERT INTO event_keys (id, since_ms, version, key_sealed) VALUES ($1, $2, 1, $3)",
                      {named.id, now, store::Bytes{*sealed}});
    if (!added) return tl::unexpected(added.error());
    auto key = opened(named.id, 1, *sealed);
    if (!key) return tl::unexpected(std::move(key.error()));
    named.key = std::move(*key);
  }
  const std::lock_guard lock(mutex_);
  current_ = named.id;
  current_since_ms_ = since;
  return named;
}

Result<EventKeys::Key> EventKeys::find(const std::string& id) {
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(id); known != known_.end()) return known->second;
  }
  auto rows = database_.run("SELECT version, key_sealed FROM event_keys WHERE id = $1", {id});
  if (!rows) return tl::unexpected(std::move(rows.error()));
  const store::Row* row = rows->first();
  if (row == nullptr) return fail(ErrorCode::not_found, "a key of events is gone");
  return opened(id, static_cast<std::uint64_t>((*row)[0].integer()), (*row)[1].bytes());
}

Status EventKeys::remove_older_than(Duration age) {
  const std::int64_t before = milliseconds_of(clock_.wall()) - age / std::chrono::milliseconds(1);
  auto removed = database_.run("DELETE FROM event_keys WHERE since_ms < $1 RETURNING id", {before});
  if (!removed) return tl::unexpected(std::move(removed.error()));
  const std::lock_guard lock(mutex_);
  for (const store::Row& row : removed->rows) known_.erase(row[0].text());
  return {};
}

}  // namespace gatehouse::events
