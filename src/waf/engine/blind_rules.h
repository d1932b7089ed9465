#pragma once
// Rules that have nothing to look into: @rbl, since block lists are not asked (docs/decisions/0011), @geoLookup without
// a database, and IP when no rule opens a record. They find nothing, and whoever relies on them has to know.
//
// Left out are rules that are not reached unless something is configured that is not: the Core Rule Set has such,
// behind TX variables that only its user's set-up sets.

#include <vector>

#include "waf/rule.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

std::vector<Finding> blind_rules(const RuleSet& rules);

}  // namespace gatehouse::waf
