#pragma once
// Where shards leave what other gateways should know, and where the thread that tells them picks it up.
//
// Thread safety: any thread. `used` takes no lock and is called for every admitted request of a limit; `tell` holds a
// mutex for a few instructions and is called when something went wrong (a failed login, an attack, a ban).
// Bounded: what finds no room is left out and counted; the local count holds whatever happens here.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "base/striped_counter.h"
#include "gateway/sharing/handover_queue.h"
#include "gateway/sharing/notice.h"

namespace gatehouse::gateway {

// One request that a limit admitted.
struct RateUse {
  std::uint64_t key;
  std::uint64_t interval;  // nanoseconds that one request takes of the bucket
  std::uint64_t whole;     // nanoseconds: the bucket
  std::uint64_t owed;      // until it would be full again, this request included
};

class SharingDesk {
 public:
  static constexpr std::size_t kUsesMax = 1 << 14;  // of a queue: 50 ms of 300,000 requests a second
  static constexpr std::size_t kQueues = 8;
  static constexpr std::size_t kNoticesMax = 1 << 12;

  // Nobody picks anything up before this, and nothing is left: a gateway that shares nothing pays one load.
  void open();
  bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  // Rates and failures are not kept for a Redis that is gone: they would be stale when it is back.
  void set_sharing(bool on) noexcept { sharing_.store(on, std::memory_order_release); }
  bool sharing() const noexcept { return sharing_.load(std::memory_order_acquire); }

  void used(const RateUse& use) noexcept;
  void tell(Notice notice);

  template <class Take>
  void take_uses(Take&& take) {
    RateUse use;
    for (const auto& queue : queues_)
      while (queue && queue->pop(use)) take(use);
  }
  std::vector<Notice> take_notices();
  std::uint64_t left_out() const noexcept { return left_out_.total(); }

 private:
  static std::size_t own_queue() noexcept;

  std::atomic<bool> open_{false}, sharing_{false};
  std::array<std::unique_ptr<HandoverQueue<RateUse>>, kQueues> queues_;
  StripedCounter left_out_;
  std::mutex mutex_;
  std::vector<Notice> notices_;
};

}  // namespace gatehouse::gateway
