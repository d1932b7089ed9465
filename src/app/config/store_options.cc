#include "app/config/store_options.h"

namespace gatehouse::app {

store::DatabaseOptions store_options(const gateway::Config& config) {
  store::DatabaseOptions options;
  options.location = config.store == "sqlite" ? "sqlite:" + config.data_dir + "/gatehouse.db" : config.store;
  options.password = config.store_password;
  return options;
}

}  // namespace gatehouse::app
