#pragma once
// Which running gateway a command of the shell talks to.

#include <functional>
#include <string>

#include "app/commands/admin_client.h"

namespace gatehouse::app {

struct AdminOptions {
  std::string config_path = "gatehouse.yaml";
  std::string address;  // instead of the configuration's `admin.address`
  std::string token;    // instead of GATEHOUSE_ADMIN_TOKEN and the configuration's `admin.token`
  bool json = false;
};

// Calls `command` with the target that the options name. Without an address the configuration is read; when it names
// none or cannot be read, that is said on stderr and the answer is 2.
int with_target(const AdminOptions& options, const std::function<int(const AdminTarget&)>& command);

}  // namespace gatehouse::app
