#include "base/clock.h"

#include <sys/resource.h>

namespace gatehouse {

#if defined(__x86_64__)
namespace {
double measure_ns_per_tick() noexcept {
  // 2 ms are enough for three digits, and are paid once, before the first request.
  const auto from = std::chrono::steady_clock::now();
  const std::uint64_t ticks_from = CycleClock::ticks();
  while (std::chrono::steady_clock::now() - from < std::chrono::milliseconds(2)) {
  }
  const std::uint64_t ticks = CycleClock::ticks() - ticks_from;
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

std::uint64_t context_switches() noexcept {
  rusage usage{};
  getrusage(RUSAGE_THREAD, &usage);
  return static_cast<std::uint64_t>(usage.ru_nvcsw) + static_cast<std::uint64_t>(usage.ru_nivcsw);
}

}  // namespace gatehouse
