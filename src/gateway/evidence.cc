#include "gateway/evidence.h"

#include <algorithm>

namespace gatehouse::gateway {

std::string duration_text(Duration duration) {
  using namespace std::chrono;
  const std::int64_t ms = std::max<std::int64_t>(duration_cast<milliseconds>(duration).count(), 0);
  const std::int64_t s = ms / 1000;
  if (ms < 1000) return fmt::format("{} ms", ms);
  if (s < 60) return fmt::format("{}.{} s", s, ms % 1000 / 100);
  if (s < 3600) return fmt::format("{}m{}s", s / 60, s % 60);
  if (s < 86400) return fmt::format("{}h{}m", s / 3600, s % 3600 / 60);
  return fmt::format("{}d{}h", s / 86400, s % 86400 / 3600);
}

std::int64_t whole_seconds(Duration duration) noexcept {
  return std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(duration).count(), 1);
}

}  // namespace gatehouse::gateway
