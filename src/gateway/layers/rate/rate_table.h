#pragma once
// Token buckets by GCRA, exact across all shards of a process.
//
// Thread safety: `admit` may be called from any shard; it takes no lock. One 64-bit word per key holds the theoretical
// arrival time (TAT); the word is moved by compare-and-swap, so two shards never admit the same token twice.
// Invariants: (1) the table never grows: a full bucket evicts the entry whose TAT is furthest in the past, which is a
// client that has nothing left to be limited for; when it had (a table too small for the load) that is counted.
// (2) Time never moves a TAT backwards.
// Source: ITU-T I.371 (GCRA); IETF draft-ietf-httpapi-ratelimit-headers for the answer.

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/word_table.h"

namespace gatehouse::gateway {

struct RateLimit {
  std::uint64_t requests = 1;  // per `window`; at least 1
  Duration window{1'000'000'000};
  std::uint32_t burst = 1;  // requests admitted at once after a pause; at least 1
};

struct RateDecision {
  enum class Verdict : std::uint8_t { admit, refuse };
  Verdict verdict = Verdict::admit;
  std::uint32_t remaining = 0;  // requests left in the burst
  Duration retry_after{};       // zero when admitted
  Duration reset{};             // until the burst is whole again
};

// What a limit is in nanoseconds: of one request, and of the whole bucket.
struct RateCost {
  std::uint64_t interval = 1, whole = 1;
};
RateCost cost_of(const RateLimit& limit) noexcept;

class RateTable {
 public:
  // `entries_max` is rounded up to a power of two; 16 bytes each. Fails only when memory cannot be mapped.
  static Result<RateTable> create(std::size_t entries_max);

  // Takes one request from the bucket of `key` (a keyed hash: an attacker must not be able to choose collisions).
  RateDecision admit(std::uint64_t key, const RateLimit& limit, MonotonicTime now) noexcept;

  // Other gateways have admitted requests, too: the bucket is owed at least so much from now.
  void raise(std::uint64_t key, Duration owed, MonotonicTime now) noexcept;

  std::size_t capacity() const noexcept { return words_.capacity(); }
  // Entries that were given up while they still limited somebody. Not zero: `state.rate_entries` is too small.
  std::uint64_t live_evictions() const noexcept { return live_evictions_->load(std::memory_order_relaxed); }

 private:
  explicit RateTable(WordTable words);

  WordTable words_;
  std::unique_ptr<std::atomic<std::uint64_t>> live_evictions_;  // apart: the table stays movable
};

}  // namespace gatehouse::gateway
