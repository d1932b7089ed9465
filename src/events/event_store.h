#pragma once
// Events, kept and searched: what was denied, slowed down or remarked upon, a sample of what passed, and what people
// and administrators did (decision 0016).
//
// Events are gathered and written in blocks (event_block.h), each encrypted under the key of its day (event_keys.h) and
// bound to its name and version, with its times and a filter of keyed terms beside it. A search reads filters from the
// newest to the oldest, opens the blocks that may hold what is asked, and looks at each event in them.
//
// Thread safety: `add` from any thread: it renders nothing and waits for nobody, and what finds no room is counted.
// `search`, `find` from any thread, and block. One thread of its own writes.
// Invariants: (1) at most kPendingBytesMax and kBlocksMax blocks wait to be written. (2) What was added is in the store
// kLinger later, while that can be written to; a crash loses no more than that. (3) The newest block is written again
// while it grows: under another version, whole. (4) Blocks older than `age_max` go, and the oldest ones while all of
// them have more than `bytes_max`.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "events/event_block.h"
#include "events/event_keys.h"
#include "events/event_query.h"
#include "events/terms.h"

namespace gatehouse::events {

struct FoundEvent {
  WallTime time;
  EventKind kind = EventKind::request;
  std::string line;
};

struct EventPage {
  std::vector<FoundEvent> events;  // the newest first
  std::string next;                // for EventQuery::after; empty: there are no more
  // Set when time ran out before `limit` events were found: everything newer than this was looked at.
  std::optional<WallTime> searched_to;
  std::uint64_t unreadable = 0;  // blocks that were damaged, changed, or have no key any more
};

struct EventStoreOptions {
  Duration age_max = std::chrono::hours(24 * 30);
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
};

struct EventCounters {
  std::uint64_t requests = 0, acts = 0;              // written
  std::uint64_t dropped_full = 0, dropped_long = 0;  // no room to wait in; a line that is too long
  std::uint64_t bytes = 0;                           // of all blocks, as of the last look
};

class EventStore {
 public:
  static constexpr Duration kLinger = std::chrono::seconds(1);
  static constexpr std::size_t kPendingBytesMax = 16 * 1024 * 1024;
  static constexpr std::size_t kBlocksMax = 32;  // that are not written yet
  static constexpr Duration kSearchMax = std::chrono::seconds(2);
  static constexpr std::size_t kLimitMax = 1000;

  // Makes or brings up to date the tables. `keys`: where the keyring is; `blocks` may be the same. They, and the
  // keyring, outlive it.
  static Result<std::unique_ptr<EventStore>> open(store::Database& keys, store::Database& blocks,
                                                  secrets::Keyring& keyring, EventStoreOptions options,
                                                  const Clock& clock);
  ~EventStore();

  void start();
  void stop();  // writes what is there, if that works at once

  bool add(const Event& event);  // false: there was no room
  // Writes what is pending now. For tests, and for the thread.
  Status write_pending();
  Status keep_bounds();  // invariant 4

  // ErrorCode::invalid: the query makes no sense. unavailable and others: the store's.
  Result<EventPage> search(const EventQuery& query);
  Result<std::optional<FoundEvent>> find(std::string_view request_id);

  EventCounters counters() const noexcept;

 private:
  struct Pending {
    WallTime time;
    EventKind kind;
    std::string line;
    std::vector<Term> terms;
    std::size_t bytes() const noexcept { return line.size() + terms.size() * sizeof(Term) + sizeof *this; }
  };
  // A block that is not in the store yet as it is here.
  struct OpenBlock {
    std::string id;
    std::uint64_t version = 0;  // in the store; 0: not there
    std::size_t written = 0;    // events of it that are in the store
    BlockBuilder builder;
  };

  EventStore(store::Database& keys, store::Database& blocks, secrets::Keyring& keyring, EventStoreOptions options,
             const Clock& clock);
  void run();
  void gather();  // what is pending into blocks
  Status write_blocks();
  Result<std::uint64_t> remove_oldest(std::uint64_t bytes);

  store::Database& blocks_;
  const EventStoreOptions options_;
  const Clock& clock_;
  const Terms terms_;
  EventKeys keys_;

  mutable std::mutex mutex_;  // over what is pending
  std::condition_variable wake_;
  std::deque<Pending> pending_;
  std::size_t pending_bytes_ = 0;
  bool ending_ = false;

  std::mutex writing_;          // over what follows
  std::deque<OpenBlock> open_;  // all but the last are full

  std::atomic<std::uint64_t> requests_{0}, acts_{0}, dropped_full_{0}, dropped_long_{0}, bytes_{0};
  std::thread thread_;
};

}  // namespace gatehouse::events
