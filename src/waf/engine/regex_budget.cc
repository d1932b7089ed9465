#include "waf/engine/regex_budget.h"

#include <time.h>

#include <algorithm>

namespace gatehouse::waf {
namespace {

// From each place where a match may begin, tried one after the other until the steps are enough.
constexpr std::uint32_t kSteps[] = {8, 64, 512, 4096, 32 * 1024, Regex::kMatchLimit};
// Of an attempt, in steps. PCRE2 looks up to 5,000 bytes ahead for a byte without which there is no match.
constexpr std::uint64_t kAttemptPrice = 16;
constexpr std::size_t kLookAheadBytes = 5000, kLookAheadBytesPerStep = 4;

// In steps. On a loaded machine they took 0.3 ns in the middle and 3 at most where verdicts were asked for, 41 where a
// single step ran through the rest of the value. What a search for the dearest kilobytes found used up to 180,000.
constexpr std::uint64_t kVerdictBase = 128 * 1024, kVerdictPerByte = 512, kUngatedPerByte = 8 * 1024,
                        kAnswerPerByte = 64 * 1024;
constexpr std::uint64_t kPlaceBase = 16 * 1024, kPlacePerByte = 32;

// A run such as `[^)]*` that gives nothing back goes over bytes without counting a step: from each place anew it costs
// the square of the value. So long values are tried part by part, each of about this time, and the time of the CPU is
// asked for.
constexpr std::size_t kTimedFrom = 2048;
constexpr std::size_t kPlacesFirst = 16;
constexpr std::chrono::nanoseconds kPart{1'000'000};
constexpr std::chrono::nanoseconds kTimeBase{5'000'000}, kTimePerByte{100}, kTimePerAnswerByte{40'000};
constexpr std::chrono::seconds kTimeUngated{60};  // without a plan every rule runs on every value: only tests do that

std::chrono::nanoseconds cpu_time() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

void RegexBudget::begin(Bound bound) noexcept {
  bound_ = bound;
  left_ = {kVerdictBase, kPlaceBase};
  time_left_ = bound == Bound::planned ? kTimeBase : kTimeUngated;
}

void RegexBudget::add(std::size_t bytes, std::uint64_t per_byte) noexcept {
  left_[0] += bytes * per_byte;
  left_[1] += bytes * kPlacePerByte;
}

void RegexBudget::add_bytes(std::size_t bytes) noexcept {
  add(bytes, bound_ == Bound::planned ? kVerdictPerByte : kUngatedPerByte);
  time_left_ += bytes * kTimePerByte;
}
void RegexBudget::add_answer_bytes(std::size_t bytes) noexcept {
  add(bytes, kAnswerPerByte);
  time_left_ += bytes * kTimePerAnswerByte;
}

Regex::Outcome RegexBudget::match(const Regex& regex, std::string_view value, Captures* groups,
                                  Purpose purpose) noexcept {
  if (bound_ == Bound::each_place) return regex.match(value, groups);
  std::uint64_t& left = left_[static_cast<std::size_t>(purpose)];
  const std::size_t starts = regex.starts(value);
  std::size_t first = 0, count = starts, level = 0, most = starts;
  const bool timed = value.size() > kTimedFrom;
  std::chrono::nanoseconds since{};
  if (timed) {
    if (time_left_ <= std::chrono::nanoseconds(0)) return Regex::Outcome::limit_reached;
    if (regex.is_divisible()) most = kPlacesFirst;
    since = cpu_time();
  }
  while (true) {
    count = std::min({count, starts - first, most});
    const std::uint64_t price = kAttemptPrice + count * std::uint64_t{kSteps[level]} +
                                std::min(value.size() - first, kLookAheadBytes) / kLookAheadBytesPerStep;
    if (price > left) return Regex::Outcome::limit_reached;
    left -= price;
    const Regex::Outcome outcome = regex.is_divisible()
                                       ? regex.match_from({first, first + count - 1}, value, groups, kSteps[level])
                                       : regex.match(value, groups, kSteps[level]);
    if (timed) {
      const std::chrono::nanoseconds now = cpu_time(), took = now - since;
      since = now;
      time_left_ -= took;
      if (outcome != Regex::Outcome::match && time_left_ <= std::chrono::nanoseconds(0))
        return Regex::Outcome::limit_reached;
      const auto parts = static_cast<std::size_t>(kPart / std::max(took, std::chrono::nanoseconds(1)));
      if (regex.is_divisible()) most = std::max<std::size_t>(count * parts, 1);
    }
    if (outcome == Regex::Outcome::match) return outcome;
    if (outcome == Regex::Outcome::no_match) {
      first += count;
      if (first == starts) return outcome;
      // Behind a place that needed more, as many as were good together, and twice as many each time.
      count *= 2;
      level = 0;
    } else if (count > 1 && regex.is_divisible()) {
      count /= 2;  // somewhere among them is one that needs more
    } else if (++level == std::size(kSteps)) {
      return outcome;
    }
  }
}

}  // namespace gatehouse::waf
