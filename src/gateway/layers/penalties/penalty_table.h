#pragma once
// How often something went wrong for a key (a client's failed logins, a user's, a client's attacks) within a window.
//
// Thread safety: any shard, no locks. One word per key: the time the window began, in milliseconds of the monotonic
// clock, above a count of 24 bits.
// Rule: the window begins with the first failure. Once the threshold is reached it begins anew with each failure, so
// that a penalty lasts until a whole window passed without one.
// Bounded: a full table forgets the key whose window began first.

#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "gateway/word_table.h"

namespace gatehouse::gateway {

class PenaltyTable {
 public:
  static Result<PenaltyTable> create(std::size_t entries_max);

  // Counts `failures` more; how many there are now.
  std::uint32_t add(std::uint64_t key, Duration window, std::uint32_t threshold, MonotonicTime now,
                    std::uint32_t failures = 1) noexcept;
  std::uint32_t count(std::uint64_t key, Duration window, MonotonicTime now) const noexcept;
  bool forgive(std::uint64_t key, MonotonicTime now) noexcept;  // false: there was nothing

 private:
  explicit PenaltyTable(WordTable words) noexcept : words_(std::move(words)) {}

  WordTable words_;
};

}  // namespace gatehouse::gateway
