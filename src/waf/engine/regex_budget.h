#pragma once
// A bound on what the patterns of one request may cost.
//
// PCRE2 bounds the steps of backtracking from each place where a match may begin, not their sum: a value of a thousand
// bytes may cost a thousand times the limit. So each match is first tried with few steps, which is enough for all but
// one in ten thousand (measured on the Core Rule Set's own hostile requests: no pattern that did not match took more
// than 1,000), then with more, and is charged for the steps that it may have taken. The budget grows with the bytes of
// the request, so that the cost stays linear. What it does not pay for counts as a match, as any limit reached does.
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
  void add_bytes(std::size_t bytes) noexcept {
    left_[0] += bytes * (gated_ ? kVerdictPerByte : kUngatedPerByte);
    left_[1] += bytes * kPlacePerByte;
  }
  Regex::Outcome match(const Regex& regex, std::string_view value, Captures& groups, Purpose purpose) noexcept;

 private:
  // In bytes that a match with the fewest steps goes through: 2 ns each as a rule, 300 at worst.
  static constexpr std::uint64_t kVerdictBase = 16 * 1024, kVerdictPerByte = 64, kUngatedPerByte = 16 * 1024;
  static constexpr std::uint64_t kPlaceBase = 8 * 1024, kPlacePerByte = 8;

  bool gated_ = false;
  std::array<std::uint64_t, 2> left_{};  // by purpose
};

}  // namespace gatehouse::waf
