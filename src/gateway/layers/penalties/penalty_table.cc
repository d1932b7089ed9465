#include "gateway/layers/penalties/penalty_table.h"

#include <algorithm>

namespace gatehouse::gateway {
namespace {

constexpr int kCountBits = 24;
constexpr std::uint64_t kCountMax = (std::uint64_t{1} << kCountBits) - 1;

std::uint64_t milliseconds(MonotonicTime time) noexcept {
  return static_cast<std::uint64_t>(time.time_since_epoch() / std::chrono::milliseconds(1));
}
std::uint64_t milliseconds(Duration duration) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(duration / std::chrono::milliseconds(1), 1));
}
std::uint64_t count_in(std::uint64_t word, Duration window, std::uint64_t now) noexcept {
  return now < (word >> kCountBits) + milliseconds(window) ? word & kCountMax : 0;
}

}  // namespace

Result<PenaltyTable> PenaltyTable::create(std::size_t entries_max) {
  auto words = WordTable::create(entries_max);
  if (!words) return tl::unexpected(std::move(words.error()).while_("penalties"));
  return PenaltyTable(std::move(*words));
}

std::uint32_t PenaltyTable::add(std::uint64_t key, Duration window, std::uint32_t threshold, MonotonicTime now,
                                std::uint32_t failures) noexcept {
  const std::uint64_t at = milliseconds(now);
  std::uint64_t count = 0;
  words_.update(key, [&](std::optional<std::uint64_t> word) -> std::optional<std::uint64_t> {
    const std::uint64_t before = word ? count_in(*word, window, at) : 0;
    count = std::min(before + failures, kCountMax);
    // Another shard's clock reading may be ahead: a word never goes back.
    const std::uint64_t began = word ? *word >> kCountBits : 0;
    const bool anew = before == 0 || count >= threshold;
    return (anew ? std::max(at, began) : began) << kCountBits | count;
  });
  return static_cast<std::uint32_t>(count);
}

std::uint32_t PenaltyTable::count(std::uint64_t key, Duration window, MonotonicTime now) const noexcept {
  const auto word = words_.load(key);
  return word ? static_cast<std::uint32_t>(count_in(*word, window, milliseconds(now))) : 0;
}

bool PenaltyTable::forgive(std::uint64_t key, MonotonicTime now) noexcept {
  const auto update = words_.update(key, [&](std::optional<std::uint64_t> word) -> std::optional<std::uint64_t> {
    if (!word || (*word & kCountMax) == 0) return std::nullopt;
    return std::max(milliseconds(now), *word >> kCountBits) << kCountBits;
  });
  return update.changed;
}

}  // namespace gatehouse::gateway
