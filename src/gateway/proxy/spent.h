#pragma once
#include <cstdint>

#include "base/clock.h"

namespace gatehouse::gateway {

// Adds the cycles of its scope to a counter: our own share of a request's time. Scopes must not nest on one counter.
class Spent {
 public:
  explicit Spent(std::uint64_t& ticks) noexcept : ticks_(ticks), from_(CycleClock::ticks()) {}
  Spent(const Spent&) = delete;
  Spent& operator=(const Spent&) = delete;
  ~Spent() { ticks_ += CycleClock::ticks() - from_; }

 private:
  std::uint64_t& ticks_;
  std::uint64_t from_;
};

}  // namespace gatehouse::gateway
