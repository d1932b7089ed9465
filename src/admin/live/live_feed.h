#pragma once
// GET /v1/live: decision records and counts as server-sent events (HTML Living Standard §9.2), for the dashboard's feed
// and for whoever wants to watch with curl.
//
// Follows the shards' rings five times a second on the control plane's loop, so there are at most five frames a second.
// A record is unpacked only for somebody who watches and asked for such; each watcher gets at most kRecordsPerTick of
// them, and the number of those that were left out. What was unpacked stays in a queue of kKeptMax records that all
// watchers read at their own pace: a slow one loses the oldest and is told how many, and one that comes back within
// kGrace with its Last-Event-ID goes on where it was.
//
// Shard rule: the control plane's loop. Invariants: (1) at most kWatchersMax watchers. (2) Nothing is sent to a watcher
// of which kBufferedMax bytes wait.
//
// Events: `records` {"records":[…],"skipped":n}, with an id; `traffic`, one second (traffic.h), which is the heartbeat.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "admin/live/traffic.h"
#include "admin/service_sink.h"
#include "base/ip.h"
#include "telemetry/record_follower.h"

namespace gatehouse::admin {

struct LiveFilter {
  telemetry::RecordFilter record;
  bool remarkable = false;  // only what is more than an ordinary request

  bool takes(const telemetry::PackedKey& key) const noexcept;
  bool same_as(const LiveFilter& other) const noexcept {
    return remarkable == other.remarkable && record.verdict == other.record.verdict &&
           record.layer == other.record.layer && record.client == other.record.client;
  }
};

class LiveFeed final : private telemetry::RecordSink {
 public:
  static constexpr std::chrono::milliseconds kPeriod{200};
  static constexpr std::size_t kWatchersMax = 32, kKeptMax = 2000, kRecordsPerTick = 60;
  static constexpr std::size_t kBufferedMax = 256 * 1024;
  static constexpr std::chrono::seconds kGrace{30};

  LiveFeed(const telemetry::RecordStore& records, const Clock& clock);

  bool is_full() const noexcept { return watchers_.size() >= kWatchersMax; }
  void watch(std::shared_ptr<EventStream> stream, LiveFilter filter, std::string_view last_event_id);
  void tick();  // every kPeriod
  const Traffic& traffic() const noexcept { return traffic_; }

 private:
  struct Kept {
    telemetry::PackedKey key;
    std::string json;
  };
  struct Watcher {
    std::shared_ptr<EventStream> stream;
    LiveFilter filter;
    std::uint64_t next = 0;     // number of the record that it is to see next
    std::uint64_t skipped = 0;  // since its last frame
    std::size_t room = kRecordsPerTick;
    MonotonicTime seen;  // open then
  };

  // Is shown every record, which is where they are counted, and is followed by `take` for this one.
  bool wants(const telemetry::PackedKey& key) noexcept override;
  void take(const telemetry::DecisionRecord& record) override;
  void missed(std::uint64_t records) override { traffic_.missed(records); }
  void send_records(Watcher& watcher);
  std::uint64_t first_kept() const noexcept { return taken_ - kept_.size(); }

  const Clock& clock_;
  Traffic traffic_;
  std::vector<Watcher> watchers_;
  telemetry::PackedKey key_{};  // of the record that is taken next
  std::deque<Kept> kept_;
  std::uint64_t taken_ = 0;
  const std::string epoch_;  // ids of another process are none of ours
  telemetry::RecordFollower follower_;
};

}  // namespace gatehouse::admin
