// Which patterns share a database.
//
// A database is scanned when a value may meet what some pattern of it requires, so patterns that require alike belong
// together, and each further database costs a scan's fixed price. Greedy: from one bundle for each requirement, the two
// whose union costs least are put together as long as that saves something.

#include <algorithm>

#include "waf/match/match_plan_builder.h"

namespace gatehouse::waf {
namespace {

constexpr double kScan = 12;                // the fixed price of a scan, in patterns
constexpr double kCommonProbability = 0.4;  // from there on a requirement tells little

double cost(const ByteSet& needs, std::size_t patterns) {
  return probability(needs) * (kScan + static_cast<double>(patterns));
}

void merge(Bundle& into, Bundle& from) {
  into.needs = into.needs | from.needs;
  into.members.insert(into.members.end(), from.members.begin(), from.members.end());
}

double saved(const Bundle& a, const Bundle& b) {
  return cost(a.needs, a.members.size()) + cost(b.needs, b.members.size()) -
         cost(a.needs | b.needs, a.members.size() + b.members.size());
}

}  // namespace

std::vector<Bundle> bundle(const std::vector<const Expression*>& expressions) {
  std::vector<Bundle> rare, rest(2);  // of the rest: letters and digits, and nothing at all
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    const Requirements& requires_of = expressions[i]->requires_of;
    Bundle one{requires_of.clauses.empty() ? ByteSet::all() : requires_of.clauses.front(), {i}};
    const bool nothing = requires_of.clauses.empty();
    if (nothing || probability(one.needs) > kCommonProbability) {
      Bundle& into = rest[nothing ? 1 : 0];
      if (into.members.empty()) {
        into = std::move(one);
      } else {
        merge(into, one);
      }
      continue;
    }
    const auto same = std::find_if(rare.begin(), rare.end(), [&](const Bundle& b) { return b.needs == one.needs; });
    if (same != rare.end()) {
      merge(*same, one);
    } else {
      rare.push_back(std::move(one));
    }
  }
  while (rare.size() > 1) {
    double best = -1e9;
    std::size_t first = 0, second = 0;
    for (std::size_t a = 0; a < rare.size(); ++a) {
      for (std::size_t b = a + 1; b < rare.size(); ++b) {
        if (const double gain = saved(rare[a], rare[b]); gain > best) best = gain, first = a, second = b;
      }
    }
    if (best <= 0) break;
    merge(rare[first], rare[second]);
    rare.erase(rare.begin() + static_cast<std::ptrdiff_t>(second));
  }
  for (Bundle& each : rest) {
    if (!each.members.empty()) rare.push_back(std::move(each));
  }
  for (Bundle& each : rare) std::sort(each.members.begin(), each.members.end());
  return rare;
}

}  // namespace gatehouse::waf
