#pragma once
// The store that a configuration names.

#include "gateway/config.h"
#include "store/database.h"

namespace gatehouse::app {

store::DatabaseOptions store_options(const gateway::Config& config);

}  // namespace gatehouse::app
