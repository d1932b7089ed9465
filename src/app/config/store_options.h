#pragma once
// The store that a configuration names, and the root key that it is sealed under.

#include "gateway/config.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::app {

store::DatabaseOptions store_options(const gateway::Config& config);

secrets::RootKeySource root_key_source(const gateway::SecretsConfig& config, const std::string& data_dir);

}  // namespace gatehouse::app
