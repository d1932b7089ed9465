#include "base/clock.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#endif

namespace gatehouse {

std::uint64_t CycleClock::ticks() noexcept {
#if defined(__x86_64__)
  return __rdtsc();
#else
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

#if defined(__x86_64__)
namespace {
double measure_ns_per_tick() noexcept {
  // 2 ms are enough for three digits, and are paid once, before the first request.
  const auto from = std::chrono::steady_clock::now();
  const std::uint64_t ticks_from = __rdtsc();
  while (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(2)) {
  }
  const std::uint64_t ticks = __rdtsc() - ticks_from;
  const auto ns = std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - from).count();
  return ticks == 0 ? 1.0 : ns / static_cast<double>(ticks);
}
}  // namespace
#endif

std::uint64_t CycleClock::to_ns(std::uint64_t ticks) noexcept {
#if defined(__x86_64__)
  static const double ns_per_tick = measure_ns_per_tick();
  return static_cast<std::uint64_t>(static_cast<double>(ticks) * ns_per_tick);
#else
  return ticks;
#endif
}

}  // namespace gatehouse
