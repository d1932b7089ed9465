#pragma once
// Evidence for people, formatted on the stack and kept in the request's arena. Only decisions that do something pay.

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/clock.h"

namespace gatehouse::gateway {

inline constexpr std::size_t kEvidenceMax = 256;  // bytes; what is longer is cut

template <class... Args>
std::string_view evidence(Arena& arena, fmt::format_string<Args...> format, Args&&... args) {
  char buffer[kEvidenceMax];
  const auto result = fmt::format_to_n(buffer, sizeof buffer, format, std::forward<Args>(args)...);
  return arena.copy({buffer, static_cast<std::size_t>(result.out - buffer)});
}

// "350 ms", "1.2 s", "9m58s", "23h59m", "6d2h"
std::string duration_text(Duration duration);

// Whole seconds, rounded up, at least one: the unit of Retry-After (RFC 9110 §10.2.3).
std::int64_t whole_seconds(Duration duration) noexcept;

}  // namespace gatehouse::gateway
