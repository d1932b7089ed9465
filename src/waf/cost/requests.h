#pragma once
// The requests by which the cost of inspection is told: what users send, and what attackers do.
//
// Values; pure functions of their arguments. An input has as many variants as are asked for: variant 0 is the request
// as it stands in the table, and in every further one each value differs, so that nothing that was remembered of values
// is of use.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "waf/engine/rule_engine.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {

struct CostInput {
  std::string name;
  std::string what;
  std::function<RawRequest(std::uint32_t variant)> make;
};

// A trivial GET, a browser's, a form, three JSON bodies, an upload.
std::vector<CostInput> ordinary_inputs();

// Requests from the regression tests in `folder` that this rule set blocks at its own settings, at most `count`, spread
// over the tests' files. Empty when there are none.
std::vector<RawRequest> hostile_requests(const RuleEngine& engine, const std::string& folder, std::size_t count);

}  // namespace gatehouse::waf
