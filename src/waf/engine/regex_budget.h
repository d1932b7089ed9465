#pragma once
// A bound on what the patterns of one request may cost.
//
// PCRE2 bounds the steps of backtracking from each place where a match may begin, not their sum: a value of a thousand
// bytes may cost a thousand times the limit. So each match is first tried with few steps, which is enough for all but
// one in ten thousand (measured on the Core Rule Set's own hostile requests: no pattern that did not match took more
// than 1,000), then with more, and is charged for the steps that it may have taken. That is far more than it has: the
// budget has to be ample, so that no ordinary text is taken for a match. It grows with the bytes of the request, and
// what it does not pay for counts as a match, as any limit reached does.
//
// Matches that a scan has proven, of which only the place is wanted, have a smaller budget of their own: what they use
// up changes no verdict. Deterministic: the same request, the same outcome.

#include <array>
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

  // `gated`: few rules need their patterns run, for scans have told of the others.
  void begin(bool gated) noexcept {
    gated_ = gated;
    left_ = {kVerdictBase, kPlaceBase};
  }
  void add_bytes(std::size_t bytes) noexcept { add(bytes, gated_ ? kVerdictPerByte : kUngatedPerByte); }
  // Of an answer: CRS looks for `Exception.*Informix` and the like in whole pages, after nothing but a word in them.
  void add_answer_bytes(std::size_t bytes) noexcept { add(bytes, kAnswerPerByte); }
  Regex::Outcome match(const Regex& regex, std::string_view value, Captures& groups, Purpose purpose) noexcept;

 private:
  // In bytes that a match with the fewest steps goes through: 2 ns each as a rule, 300 at worst.
  static constexpr std::uint64_t kVerdictBase = 1024 * 1024, kVerdictPerByte = 2048, kUngatedPerByte = 16 * 1024,
                                 kAnswerPerByte = 128 * 1024;
  static constexpr std::uint64_t kPlaceBase = 8 * 1024, kPlacePerByte = 8;

  void add(std::size_t bytes, std::uint64_t per_byte) noexcept {
    left_[0] += bytes * per_byte;
    left_[1] += bytes * kPlacePerByte;
  }

  bool gated_ = false;
  std::array<std::uint64_t, 2> left_{};  // by purpose
};

}  // namespace gatehouse::waf
