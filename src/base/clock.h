#pragma once
// Time comes in through the constructor, so that tests own it.

#include <atomic>
#include <chrono>
#include <cstdint>

namespace gatehouse {

using Duration = std::chrono::nanoseconds;
using MonotonicTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

// Thread safety: all implementations may be read from any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual MonotonicTime now() const noexcept = 0;  // never goes back
  virtual WallTime wall() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return std::chrono::steady_clock::now(); }
  WallTime wall() const noexcept override { return std::chrono::system_clock::now(); }
  static const SystemClock& instance() {
    static const SystemClock clock;
    return clock;
  }
};

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return MonotonicTime(Duration(now_.load())); }
  WallTime wall() const noexcept override { return WallTime(Duration(wall_.load())); }
  void advance(Duration by) noexcept { now_ += by.count(), wall_ += by.count(); }
  void set_wall(WallTime at) noexcept { wall_ = at.time_since_epoch().count(); }

 private:
  std::atomic<std::int64_t> now_{1'000'000'000'000};
  std::atomic<std::int64_t> wall_{1'750'000'000'000'000'000};
};

// Cycle counter for the price of a decision: about 10 ns a read, where clock_gettime takes 25. The rate is measured
// once at start. Falls back to the monotonic clock where there is no invariant counter.
class CycleClock {
 public:
  static std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
  }
  static std::uint64_t to_ns(std::uint64_t ticks) noexcept;
};

// How often the scheduler has taken the processor from the calling thread, or was given it: what was timed while this
// changed took less. About 300 ns.
std::uint64_t context_switches() noexcept;

}  // namespace gatehouse
