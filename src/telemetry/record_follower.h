#pragma once
// Hands the records of all shards to whoever keeps, exports or watches them, from a thread beside the shards: it reads
// what they have left in their rings (record_ring.h), so that a request pays nothing for being watched.
//
// Thread safety: construction, `start` and `stop` by one thread; sinks are called by the follower's own alone, or by
// whoever calls `poll`. Invariants: (1) each record is handed over once, those of one ring in their order; between
// rings there is none. (2) Nobody waits for a sink: one that takes too long lets the rings come round, and what was
// overwritten before it was read is counted and told to all sinks. (3) `stop` hands over what is there.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "telemetry/decision_record.h"
#include "telemetry/record_ring.h"

namespace gatehouse::telemetry {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  // Is it to be unpacked for this sink? Asked for every record, once: a comparison or a count, no more.
  virtual bool wants(const PackedKey& key) noexcept = 0;
  // Its texts are good for the call.
  virtual void take(const DecisionRecord& record) = 0;
  // After some were taken, and there are no more for the moment.
  virtual void flush() {}
  // So many were overwritten before they were read, whether this sink had wanted them or not.
  virtual void missed(std::uint64_t /*records*/) {}
};

// More than an ordinary request: denied or delayed, answered 5xx or not at all, matched by an inspection rule, or one
// that a layer in monitor mode would have denied.
bool is_remarkable(const PackedKey& key) noexcept;
// So many of a million, chosen by their id: every sink that asks chooses the same.
bool is_sampled(const PackedKey& key, std::uint32_t per_million) noexcept;

class RecordFollower {
 public:
  static constexpr Duration kPause = std::chrono::milliseconds(50);       // between looks, while there are records
  static constexpr Duration kIdlePause = std::chrono::milliseconds(200);  // while there are none

  // `sinks` outlive it. Begins with what is in the rings already.
  RecordFollower(const RecordStore& records, std::vector<RecordSink*> sinks);
  RecordFollower(const RecordFollower&) = delete;
  RecordFollower& operator=(const RecordFollower&) = delete;
  ~RecordFollower();

  void start();
  void stop();

  // Hands over what is new, a bounded number; how many records that were, wanted or not. For tests, and for the thread.
  std::size_t poll();
  std::uint64_t missed() const noexcept { return missed_.load(std::memory_order_relaxed); }

 private:
  struct Place {
    const RecordRing* ring;
    std::uint64_t entry = 0;  // the next to be read
  };
  static constexpr std::size_t kAtOnceMax = 16384;  // of one ring

  void run();
  void hand_over(const PackedKey& key, const Place& place, std::uint64_t position, std::uint64_t& missed);

  std::vector<Place> places_;
  const std::vector<RecordSink*> sinks_;
  std::vector<RecordSink*> wanting_;  // of the record at hand
  std::string bytes_;
  WafRecord waf_;
  std::atomic<std::uint64_t> missed_{0};

  std::mutex mutex_;
  std::condition_variable wake_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::telemetry
