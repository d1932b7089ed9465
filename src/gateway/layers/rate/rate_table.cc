#include "gateway/layers/rate/rate_table.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {

// Nanoseconds as unsigned: a sum of two of these never wraps, so a limit of one request a year with a large burst is
// merely clamped to 146 years.
constexpr std::uint64_t kLongest = std::uint64_t{1} << 62;

std::uint64_t emission_interval(const RateLimit& limit) noexcept {
  const auto window = static_cast<std::uint64_t>(std::max<std::int64_t>(limit.window.count(), 1));
  const std::uint64_t requests = std::max<std::uint64_t>(limit.requests, 1);
  // Rounded up: a rate that doesn't divide the window admits a little less, never more.
  return std::min(window / requests + (window % requests != 0), kLongest);
}

std::uint64_t tolerance(std::uint64_t interval, std::uint32_t burst) noexcept {
  std::uint64_t product = 0;
  if (__builtin_mul_overflow(interval, std::uint64_t{std::max(burst, 1u)}, &product)) return kLongest;
  return std::min(product, kLongest);
}

std::uint64_t nanoseconds(MonotonicTime now) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(now.time_since_epoch().count(), 1));
}

}  // namespace

RateCost cost_of(const RateLimit& limit) noexcept {
  const std::uint64_t interval = emission_interval(limit);
  return {interval, tolerance(interval, limit.burst)};
}

Result<RateTable> RateTable::create(std::size_t entries_max) {
  auto words = WordTable::create(entries_max);
  if (!words) return tl::unexpected(std::move(words.error()).while_("rate limits"));
  return RateTable(std::move(*words));
}

RateTable::RateTable(WordTable words)
    : words_(std::move(words)), live_evictions_(std::make_unique<std::atomic<std::uint64_t>>(0)) {}

RateDecision RateTable::admit(std::uint64_t key, const RateLimit& limit, MonotonicTime now) noexcept {
  const std::uint64_t at = nanoseconds(now);
  const std::uint64_t interval = emission_interval(limit);
  const std::uint64_t whole = tolerance(interval, limit.burst);
  RateDecision decision;
  const auto update = words_.update(key, [&](std::optional<std::uint64_t> tat) -> std::optional<std::uint64_t> {
    const std::uint64_t next = std::max(tat.value_or(0), at) + interval;
    const std::uint64_t owed = next - at;  // time until the bucket would be whole again after this request
    if (owed > whole) {
      // A request that comes in `owed - whole` finds room; the bucket as it is now is whole one interval earlier.
      decision = {RateDecision::Verdict::refuse, 0, Duration(owed - whole), Duration(owed - interval)};
      return std::nullopt;
    }
    decision = {RateDecision::Verdict::admit, static_cast<std::uint32_t>((whole - owed) / interval), Duration(0),
                Duration(owed)};
    return next;
  });
  if (update.evicted_word > at) live_evictions_->fetch_add(1, std::memory_order_relaxed);
  return decision;
}

void RateTable::raise(std::uint64_t key, Duration owed, MonotonicTime now) noexcept {
  if (owed <= Duration(0)) return;
  const std::uint64_t at = nanoseconds(now);
  const std::uint64_t until = at + std::min(static_cast<std::uint64_t>(owed.count()), kLongest);
  const auto update = words_.update(key, [&](std::optional<std::uint64_t> tat) -> std::optional<std::uint64_t> {
    return tat && *tat >= until ? std::nullopt : std::optional(until);
  });
  if (update.evicted_word > at) live_evictions_->fetch_add(1, std::memory_order_relaxed);
}

}  // namespace gatehouse::gateway
