#include "gateway/layers/rate/schedule.h"

#include <ctime>

namespace gatehouse::gateway {

LocalMoment LocalTime::at(WallTime time) const noexcept {
  const std::int64_t seconds = std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count();
  const auto epoch_minute = static_cast<std::uint64_t>(seconds / 60);
  std::uint64_t word = last_.load(std::memory_order_relaxed);
  if (word >> 16 != epoch_minute) {
    const std::time_t when = seconds;
    std::tm local{};
    localtime_r(&when, &local);
    const auto minute = static_cast<std::uint64_t>(local.tm_hour * 60 + local.tm_min);
    const auto day = static_cast<std::uint64_t>((local.tm_wday + 6) % 7);
    word = epoch_minute << 16 | day << 11 | minute;
    last_.store(word, std::memory_order_relaxed);
  }
  return {static_cast<std::uint16_t>(word & 0x7ff), static_cast<std::uint8_t>(word >> 11 & 7)};
}

bool Schedule::holds(LocalMoment now) const noexcept {
  const auto on = [this](unsigned day) { return (days >> day & 1) != 0; };
  if (from == to) return on(now.day);
  if (from < to) return on(now.day) && now.minute >= from && now.minute < to;
  if (now.minute >= from) return on(now.day);
  return now.minute < to && on((now.day + 6u) % 7);
}

}  // namespace gatehouse::gateway
