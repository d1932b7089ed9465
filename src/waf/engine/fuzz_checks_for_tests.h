#pragma once
// What must hold of a transaction whatever the request. Tests only.

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "waf/engine/transaction.h"

namespace gatehouse::waf {

// What fired is within its bounds and points into its evidence.
inline void check_bounds(const Transaction& transaction) {
  GH_CHECK(transaction.fired().size() <= Transaction::kFiredMax);
  for (const FiredRule& fired : transaction.fired()) {
    GH_CHECK(fired.id != 0 && fired.phase >= 1 && fired.phase <= 5);
    GH_CHECK(fired.matches.size() <= Transaction::kMatchesMax);
    for (const RuleMatch& match : fired.matches) {
      GH_CHECK(match.value.size() <= Transaction::kEvidenceBytesMax);
      GH_CHECK(match.offset <= match.value.size() && match.size <= match.value.size() - match.offset);
    }
  }
}

// Rules fire with the plan as they do without it. A pattern that gives up counts as a match; a scan that knows better
// is no fault: then, false, nothing is compared.
inline bool check_same(const Transaction& plain, const Transaction& planned) {
  const auto gave_up = [](const FiredRule& fired) { return fired.limit_reached; };
  const std::vector<FiredRule>&a = plain.fired(), &b = planned.fired();
  if (std::any_of(a.begin(), a.end(), gave_up) || std::any_of(b.begin(), b.end(), gave_up)) return false;
  const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end(), [](const FiredRule& x, const FiredRule& y) {
    return x.id == y.id && x.matches.size() == y.matches.size();
  });
  if (at.first != a.end() || at.second != b.end())
    std::fprintf(stderr, "without the plan %llu, with it %llu\n",
                 at.first == a.end() ? 0ull : static_cast<unsigned long long>(at.first->id),
                 at.second == b.end() ? 0ull : static_cast<unsigned long long>(at.second->id));
  GH_CHECK(at.first == a.end() && at.second == b.end());
  return true;
}

}  // namespace gatehouse::waf
