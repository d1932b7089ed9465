#pragma once
// A bound on what the patterns of one request may cost.
//
// PCRE2 bounds the steps of backtracking from each place where a match may begin, not their sum: a value of a thousand
// bytes may cost a thousand times the limit. So each match is first tried with few steps from each place, which is
// enough for most; a place that needs more is looked for by halves and tried alone, with eight times as many each time.
// What is charged is what each attempt may have taken, at most some ten times what it has. The budget grows with the
// bytes of the request, and what it does not pay for counts as a match, as any limit reached does.
//
// Matches that a scan has proven, of which only the place is wanted, have a smaller budget of their own: what they use
// up changes no verdict. Deterministic: the same request, the same outcome. But for long values, whose time is bounded,
// too.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "waf/operator/regex.h"

namespace gatehouse::waf {

class RegexBudget {
 public:
  enum class Purpose : std::uint8_t {
    verdict,  // whether it matches is not known
    place,    // it does, but where?
  };

  enum class Bound : std::uint8_t {
    planned,       // few rules need their patterns run, for scans have told of the others
    rule_by_rule,  // all run on every value
    each_place,    // PCRE2's alone, of the steps from each place: what the others are checked against
  };

  void begin(Bound bound) noexcept;
  void add_bytes(std::size_t bytes) noexcept;
  // Of an answer: CRS looks for `Exception.*Informix` and the like in whole pages, after nothing but a word in them.
  void add_answer_bytes(std::size_t bytes) noexcept;
  Regex::Outcome match(const Regex& regex, std::string_view value, Captures* groups, Purpose purpose) noexcept;

 private:
  void add(std::size_t bytes, std::uint64_t per_byte) noexcept;

  Bound bound_ = Bound::planned;
  std::array<std::uint64_t, 2> left_{};  // by purpose
  std::chrono::nanoseconds time_left_{};
};

}  // namespace gatehouse::waf
