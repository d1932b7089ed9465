#pragma once
// Times as the tables hold them: whole seconds since 1970.

#include <cstdint>

#include "base/clock.h"

namespace gatehouse::identity {

inline std::int64_t seconds_of(WallTime time) noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
}
inline std::int64_t seconds_of(Duration duration) noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}
inline WallTime time_of(std::int64_t seconds) noexcept { return WallTime(std::chrono::seconds(seconds)); }

}  // namespace gatehouse::identity
