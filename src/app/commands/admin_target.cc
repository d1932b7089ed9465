#include "app/commands/admin_target.h"

#include <cstdio>
#include <cstdlib>

#include "app/config/load.h"
#include "app/config/scalars.h"

namespace gatehouse::app {

int with_target(const AdminOptions& options, const std::function<int(const AdminTarget&)>& command) {
  AdminTarget target;
  const char* from_environment = std::getenv("GATEHOUSE_ADMIN_TOKEN");
  if (!options.token.empty()) {
    target.token = SecretBytes(std::string_view(options.token));
  } else if (from_environment != nullptr) {
    target.token = SecretBytes(std::string_view(from_environment));
  }
  if (!options.address.empty()) {
    if (!options.address.starts_with("unix:") && !parse_host_port(options.address, std::nullopt)) {
      std::fprintf(stderr, "gatehouse: --address takes 127.0.0.1:9900 or unix:/run/gatehouse/admin.sock, not '%s'\n",
                   options.address.c_str());
      return 2;
    }
    target.address = options.address;
    return command(target);
  }
  Result<gateway::AdminConfig> admin = load_admin(options.config_path);
  if (!admin) {
    std::fprintf(stderr, "gatehouse: %s\n  name the configuration with -c FILE, or the admin API with --address\n",
                 admin.error().message.c_str());
    return 2;
  }
  if (!admin->address.is_given()) {
    std::fprintf(stderr, "gatehouse: %s: there is no `admin` block, so there is nothing to talk to\n",
                 options.config_path.c_str());
    return 2;
  }
  target.config_file = options.config_path;
  target.address = admin->address.to_string();
  if (target.token.empty()) target.token = admin->token;
  return command(target);
}

}  // namespace gatehouse::app
