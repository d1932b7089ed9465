#pragma once
// What a reload would change, for people.

#include <string>
#include <vector>

#include "gateway/config.h"

namespace gatehouse::app {

// "routes.orders-read.rate_limit.0.rate: 100/s → 200/s"; list members with a name are shown by it. Secrets are masked.
// What a reload cannot change ends with " (needs a restart)".
std::vector<std::string> config_difference(const gateway::Config& before, const gateway::Config& after);

// The keys with which a process that was started with `started` runs on, although `wanted` says something else.
std::vector<std::string> keys_needing_restart(const gateway::Config& started, const gateway::Config& wanted);

}  // namespace gatehouse::app
