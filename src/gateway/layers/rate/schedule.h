#pragma once
// The hours and days in which a limit applies, in local time.
//
// Thread safety: `LocalTime::at` may be called from any shard. Local time is worked out once a minute, not per request:
// the C library's conversion takes a lock.

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace gatehouse::gateway {

struct LocalMoment {
  std::uint16_t minute = 0;  // since midnight
  std::uint8_t day = 0;      // 0: Monday
};

class LocalTime {
 public:
  LocalMoment at(WallTime time) const noexcept;

 private:
  // The minute since the epoch, and what it is here: minute << 16 | day << 11 | minute of the day.
  mutable std::atomic<std::uint64_t> last_{0};
};

struct Schedule {
  std::uint16_t from = 0, to = 0;  // minutes since midnight; equal: all day; from > to: over midnight
  std::uint8_t days = 0x7f;        // bit 0: Monday; the hours after midnight belong to the day on which they began

  bool always() const noexcept { return from == to && (days & 0x7f) == 0x7f; }
  bool holds(LocalMoment now) const noexcept;
};

}  // namespace gatehouse::gateway
