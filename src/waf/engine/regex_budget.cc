#include "waf/engine/regex_budget.h"

namespace gatehouse::waf {
namespace {

constexpr std::uint64_t kOverhead = 8;  // of a match, in bytes

struct Attempt {
  std::uint32_t steps = 0;  // from each place
  std::uint64_t price = 0;  // of a byte
};
constexpr Attempt kAttempts[] = {{64, 1}, {1024, 16}, {16 * 1024, 256}, {128 * 1024, 2048}};

}  // namespace

Regex::Outcome RegexBudget::match(const Regex& regex, std::string_view value, Captures& groups,
                                  Purpose purpose) noexcept {
  std::uint64_t& left = left_[static_cast<std::size_t>(purpose)];
  for (const Attempt& attempt : kAttempts) {
    const std::uint64_t price = attempt.price * (value.size() + kOverhead);
    if (price > left) break;
    left -= price;
    const Regex::Outcome outcome = regex.match(value, &groups, attempt.steps);
    if (outcome != Regex::Outcome::limit_reached) return outcome;
  }
  return Regex::Outcome::limit_reached;
}

}  // namespace gatehouse::waf
