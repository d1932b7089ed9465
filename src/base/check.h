#pragma once
// CHECK ends the process when the impossible happened. It is always on and never looks at a peer's data: what a peer
// sends is handled, not asserted.

namespace gatehouse {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}

#define GH_CHECK(condition)                                      \
  do {                                                           \
    if (!(condition)) [[unlikely]]                               \
      ::gatehouse::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
