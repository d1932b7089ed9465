#pragma once
// The most expensive requests known, by name: what `waf_cost search` found, and what is quadratic in careless readers.
//
// Values. A case is a payload, so that it can be had in any size: twice the bytes are to cost twice as much.

#include <string_view>
#include <vector>

#include "waf/cost/payload.h"

namespace gatehouse::waf {

struct SlowCase {
  std::string_view name;
  Payload payload;
};

std::vector<SlowCase> slow_cases();

}  // namespace gatehouse::waf
