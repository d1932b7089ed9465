#pragma once
// Rules whose operator has nothing to look into: @rbl, since block lists are not asked (docs/decisions/0011), and
// @geoLookup without a database. They find nothing, and whoever relies on them has to know.
//
// Left out are rules that are not reached unless something is configured that is not: the Core Rule Set has such,
// behind TX variables that only its user's set-up sets.

#include <vector>

#include "waf/rule.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

std::vector<Finding> blind_rules(const RuleSet& rules);

}  // namespace gatehouse::waf
