#pragma once
// What a reload would change, for people.

#include <string>
#include <vector>

#include "gateway/config.h"

namespace gatehouse::app {
// "routes.orders-read.rate_limit.0.rate: 100/s → 200/s"; list members with a name are shown by it. Secrets are masked.
std::vector<std::string> config_difference(const gateway::Config& before, const gateway::Config& after);
}  // namespace gatehouse::app
