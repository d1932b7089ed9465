#include "events/event_store.h"

#include <pthread.h>

#include <algorithm>

#include "base/check.h"
#include "crypto/random.h"
#include "events/schema.h"
#include "telemetry/log.h"

namespace gatehouse::events {
namespace {

constexpr Duration kBoundsEvery = std::chrono::minutes(1);
constexpr std::size_t kWakeBytes = 256 * 1024;  // that are pending: enough for a block
constexpr std::size_t kRemovedAtOnce = 500;
// Keys outlive what they encrypt: a block may be as old as its key and a day.
constexpr Duration kKeysLonger = std::chrono::hours(48);

crypto::HashKey term_key(const secrets::Keyring& keyring) {
  const SecretBytes secret = keyring.derive("event terms");
  crypto::HashKey key;
  GH_CHECK(secret.size() >= key.size());
  std::copy_n(reinterpret_cast<const std::uint8_t*>(secret.expose().data()), key.size(), key.begin());
  return key;
}

}  // namespace

EventStore::EventStore(store::Database& keys, store::Database& blocks, secrets::Keyring& keyring,
                       EventStoreOptions options, const Clock& clock)
    : blocks_(blocks), options_(options), clock_(clock), terms_(term_key(keyring)), keys_(keys, keyring, clock) {}

Result<std::unique_ptr<EventStore>> EventStore::open(store::Database& keys, store::Database& blocks,
                                                     secrets::Keyring& keyring, EventStoreOptions options,
                                                     const Clock& clock) {
  if (auto made = keys.migrate(kKeysProduct, key_migrations()); !made) return tl::unexpected(std::move(made.error()));
  if (auto made = blocks.migrate(kBlocksProduct, block_migrations()); !made)
    return tl::unexpected(std::move(made.error()));
  return std::unique_ptr<EventStore>(new EventStore(keys, blocks, keyring, options, clock));
}

EventStore::~EventStore() { stop(); }

void EventStore::start() {
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
}

void EventStore::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void EventStore::run() {
  ::pthread_setname_np(::pthread_self(), "events");
  MonotonicTime bounds_at = clock_.now();
  bool failing = false;
  for (bool ending = false; !ending;) {
    {
      std::unique_lock lock(mutex_);
      // Where writing fails it is tried again after a while, however much there is.
      wake_.wait_for(lock, kLinger, [&] { return ending_ || (!failing && pending_bytes_ >= kWakeBytes); });
      ending = ending_;
    }
    const Status written = write_pending();
    if (!written && !failing) {
      GH_LOG(error, "events are not written, and wait", {"reason", written.error().message});
    } else if (written && failing) {
      GH_LOG(info, "events are written again", {"dropped", dropped_full_.load(std::memory_order_relaxed)});
    }
    failing = !written;
    if (clock_.now() < bounds_at || ending) continue;
    bounds_at = clock_.now() + kBoundsEvery;
    if (const Status kept = keep_bounds(); !kept && !failing)
      GH_LOG(warn, "events beyond their time are not removed", {"reason", kept.error().message});
  }
}

bool EventStore::add(const Event& event) {
  if (event.line.size() > BlockBuilder::kLineBytesMax) {
    dropped_long_.fetch_add(1, std::memory_order_relaxed);
    return false;
  }
  Pending pending{event.time, event.kind, std::string(event.line), {}};
  add_terms(event.line, terms_, pending.terms);
  const std::size_t bytes = pending.bytes();
  bool wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (pending_bytes_ + bytes > kPendingBytesMax) {
      dropped_full_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
    wake = pending_bytes_ < kWakeBytes && pending_bytes_ + bytes >= kWakeBytes;
    pending_bytes_ += bytes;
    pending_.push_back(std::move(pending));
  }
  if (wake) wake_.notify_one();
  return true;
}

void EventStore::gather() {
  std::deque<Pending> some;
  {
    const std::lock_guard lock(mutex_);
    std::size_t room = (kBlocksMax - open_.size()) * BlockBuilder::kEventsMax;
    if (!open_.empty())
      room += BlockBuilder::kEventsMax - std::min(open_.back().builder.count(), BlockBuilder::kEventsMax);
    for (; room > 0 && !pending_.empty(); --room) {
      pending_bytes_ -= pending_.front().bytes();
      some.push_back(std::move(pending_.front()));
      pending_.pop_front();
    }
  }
  for (const Pending& event : some) {
    if (open_.empty() || open_.back().builder.full()) open_.push_back({.id = crypto::random_token()});
    open_.back().builder.add({event.time, event.kind, event.line}, event.terms);
    (event.kind == EventKind::act ? acts_ : requests_).fetch_add(1, std::memory_order_relaxed);
  }
}

Status EventStore::write_pending() {
  const std::lock_guard lock(writing_);
  for (;;) {
    gather();
    if (Status written = write_blocks(); !written) return written;
    const std::lock_guard pending_lock(mutex_);
    if (pending_bytes_ < kWakeBytes) break;
  }
  return {};
}

Status EventStore::write_blocks() {
  struct Row {
    OpenBlock* block;
    store::Parameters values;
  };
  std::vector<Row> rows;
  for (OpenBlock& block : open_) {
    if (block.written == block.builder.count()) continue;
    auto key = keys_.current();
    if (!key) return tl::unexpected(std::move(key.error()));
    auto data = block.builder.data();
    if (!data) return tl::unexpected(std::move(data.error()));
    const std::string sealed = key->key->seal(*data, bound_to(block.id, block.version + 1));
    const std::string filter = block.builder.filter();
    rows.push_back({&block,
                    {block.id, key->id, milliseconds_of(block.builder.since()), milliseconds_of(block.builder.until()),
                     block.builder.count(), sealed.size() + filter.size(), block.version + 1, store::Bytes{filter},
                     store::Bytes{sealed}}});
  }
  if (rows.empty()) return {};
  const Status written = blocks_.transact([&](store::Executor& tx) -> Status {
    for (const Row& row : rows) {
      const auto done = tx.run(
          "INSERT INTO event_blocks (id, key_id, since_ms, until_ms, events, size, version, filter, data) "
          "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (id) DO UPDATE SET key_id = $2, since_ms = $3, "
          "until_ms = $4, events = $5, size = $6, version = $7, filter = $8, data = $9",
          row.values);
      if (!done) return tl::unexpected(done.error());
    }
    return {};
  });
  if (!written) return written;
  for (const Row& row : rows) {
    row.block->written = row.block->builder.count();
    ++row.block->version;
  }
  while (!open_.empty() && open_.front().builder.full()) open_.pop_front();
  return {};
}

Status EventStore::keep_bounds() {
  const std::int64_t before = milliseconds_of(clock_.wall()) - options_.age_max / std::chrono::milliseconds(1);
  for (;;) {
    const auto removed = blocks_.run(
        "DELETE FROM event_blocks WHERE id IN (SELECT id FROM event_blocks WHERE until_ms < $1 ORDER BY until_ms LIMIT "
        "$2)",
        {before, kRemovedAtOnce});
    if (!removed) return tl::unexpected(removed.error());
    if (removed->changed < static_cast<std::int64_t>(kRemovedAtOnce)) break;
  }
  const auto sum = blocks_.run("SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM event_blocks");
  if (!sum) return tl::unexpected(sum.error());
  auto bytes = static_cast<std::uint64_t>(sum->rows.front()[0].integer());
  while (bytes > options_.bytes_max) {
    const auto removed = remove_oldest(bytes - options_.bytes_max);
    if (!removed) return tl::unexpected(removed.error());
    if (*removed == 0) break;  // another gateway was there first
    bytes -= std::min(bytes, *removed);
  }
  bytes_.store(bytes, std::memory_order_relaxed);
  return keys_.remove_older_than(options_.age_max + kKeysLonger);
}

// At least so much, or as many blocks as one statement names; how much it was.
Result<std::uint64_t> EventStore::remove_oldest(std::uint64_t bytes) {
  const auto oldest = blocks_.run("SELECT size FROM event_blocks ORDER BY until_ms, id LIMIT $1", {kRemovedAtOnce});
  if (!oldest) return tl::unexpected(oldest.error());
  std::uint64_t found = 0;
  std::size_t count = 0;
  for (; count < oldest->rows.size() && found < bytes; ++count)
    found += static_cast<std::uint64_t>(oldest->rows[count][0].integer());
  const auto removed = blocks_.run(
      "DELETE FROM event_blocks WHERE id IN (SELECT id FROM event_blocks ORDER BY until_ms, id LIMIT $1)", {count});
  if (!removed) return tl::unexpected(removed.error());
  return found;
}

EventCounters EventStore::counters() const noexcept {
  const auto value = [](const std::atomic<std::uint64_t>& of) { return of.load(std::memory_order_relaxed); };
  return {value(requests_), value(acts_), value(dropped_full_), value(dropped_long_), value(bytes_)};
}

}  // namespace gatehouse::events
