#include "app/config/store_options.h"

namespace gatehouse::app {

store::DatabaseOptions store_options(const gateway::Config& config) {
  store::DatabaseOptions options;
  options.location = config.store == "sqlite" ? "sqlite:" + config.data_dir + "/gatehouse.db" : config.store;
  options.password = config.store_password;
  return options;
}

secrets::RootKeySource root_key_source(const gateway::SecretsConfig& config, const std::string& data_dir) {
  using Kind = secrets::RootKeySource::Kind;
  if (!config.root_key.empty()) return {Kind::environment, {}, config.root_key};
  if (!config.passphrase.empty()) return {Kind::passphrase, {}, config.passphrase};
  return {Kind::file, config.root_key_file.empty() ? data_dir + "/root.key" : config.root_key_file, {}};
}

}  // namespace gatehouse::app
