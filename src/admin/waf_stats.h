#pragma once
// GET /v1/waf/stats: the inspection rules by how often they match, or by what they cost.
//
// By hits it lists the rules that matched and log; by cost all that were evaluated in a timed request, and what
// inspection takes besides. `never` lists those in force that never matched instead.

#include <string>
#include <string_view>

#include "admin/backend.h"
#include "base/result.h"

namespace gatehouse::admin {

struct WafStatsQuery {
  enum class By : std::uint8_t { hits, cost } by = By::hits;
  std::size_t limit = SIZE_MAX;  // rules listed
  bool never = false;
  bool all = false;  // with rules that log nothing, and serve others only
};

// One parameter, unescaped; the error is for the caller.
Status read_parameter(std::string_view name, std::string_view value, WafStatsQuery& query);

std::string to_json(const WafStatsView& stats, const WafStatsQuery& query);

}  // namespace gatehouse::admin
