#pragma once
// What came in, second by second, for the last quarter of an hour: how many requests, what became of them, and which
// layer stopped how many. Counted from the keys of the decision records (record_pack.h), so that a request pays nothing
// for it.
//
// One owner. Invariants: (1) the memory is fixed. (2) `seconds` are without gaps, the oldest first; the one that is
// being counted is the last. (3) A record counts for the second in which it was read, which is 200 ms after it was
// written; a clock that steps does no harm.

#include <array>
#include <cstdint>
#include <deque>
#include <string>

#include "base/clock.h"
#include "telemetry/record_pack.h"

namespace gatehouse::admin {

struct TrafficSecond {
  static constexpr std::size_t kVerdicts = 4, kClasses = 6;
  static constexpr std::size_t kLayers = static_cast<std::size_t>(telemetry::Layer::count_);
  std::int64_t second = 0;  // since 1970
  std::array<std::uint32_t, kVerdicts> verdicts{};
  std::array<std::uint32_t, kClasses> classes{};  // of status; 0: no answer
  // By the layer that decided; what passed all layers counts nowhere here.
  std::array<std::array<std::uint32_t, kVerdicts>, kLayers> layers{};
  std::uint32_t remarked = 0;  // a rule matched, or a layer in monitor mode would have acted
  std::uint32_t missed = 0;    // overwritten before they were read
};

class Traffic {
 public:
  static constexpr std::size_t kSecondsMax = 900;

  explicit Traffic(const Clock& clock);

  void count(const telemetry::PackedKey& key) noexcept;
  void missed(std::uint64_t records) noexcept { seconds_.back().missed += static_cast<std::uint32_t>(records); }
  // Begins a new second when it is time. True: the one before is complete.
  bool tick();

  const std::deque<TrafficSecond>& seconds() const noexcept { return seconds_; }
  // The last complete one; an empty one before there is any.
  TrafficSecond last() const { return seconds_.size() > 1 ? seconds_[seconds_.size() - 2] : TrafficSecond{}; }

 private:
  std::int64_t now_second() const noexcept;

  const Clock& clock_;
  std::deque<TrafficSecond> seconds_;
};

// {"time","requests","verdicts":{…},"status":{"2xx":…},"layers":{"rate":{"deny":…}},"remarked","missed"}: what is zero
// is left out of the three objects.
void append_json(const TrafficSecond& second, std::string& out);
std::string to_json(const Traffic& traffic, std::size_t seconds);

}  // namespace gatehouse::admin
