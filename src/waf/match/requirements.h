#pragma once
// What a value must have for a pattern to match it at all: a length, and bytes. Most values are short and plain, and
// one look at which bytes they hold proves that most patterns cannot match.
//
// Sound, not exact: a value that matches always fulfils the requirements; the opposite is not promised. What the reader
// does not understand of a pattern (recursion, conditions, `(?x)`) makes it require nothing. Lookaround and back
// references require nothing of themselves.
// Thread safety: functions without state. Linear in the pattern, but for alternatives, whose requirements are paired
// (at most kClausesMax squared).
// Source: pcre2pattern(3); no UTF-8 mode, C locale, as operator/regex.h compiles patterns.

#include <cstddef>
#include <string_view>
#include <vector>

#include "waf/byte_set.h"

namespace gatehouse::waf {

struct Requirements {
  static constexpr std::size_t kClausesMax = 8;

  std::size_t bytes_min = 0;
  std::vector<ByteSet> clauses;  // at least one byte of each; the rarest in ordinary values first

  bool met_by(std::string_view value) const noexcept;
  // `bytes`: those of a value of `size` bytes.
  bool met_by(std::size_t size, const ByteSet& bytes) const noexcept {
    if (size < bytes_min) return false;
    for (const ByteSet& clause : clauses) {
      if (!clause.intersects(bytes)) return false;
    }
    return true;
  }
};

// What a value that meets one of the two surely meets.
Requirements either(const Requirements& a, const Requirements& b);

Requirements requirements_of_regex(std::string_view pattern);
Requirements requirements_of_phrase(std::string_view phrase);  // letter case aside

// How often a byte of the set stands in ordinary values, to compare sets with: the less, the more a requirement tells.
double commonness(const ByteSet& set) noexcept;
// That an ordinary value of some length has a byte of the set.
double probability(const ByteSet& set) noexcept;

}  // namespace gatehouse::waf
