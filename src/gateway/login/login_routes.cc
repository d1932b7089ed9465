#include "gateway/login/login_routes.h"

#include <algorithm>

namespace gatehouse::gateway {

bool lets_sign_in(const Config& config) {
  return std::any_of(config.routes.begin(), config.routes.end(),
                     [](const RouteConfig& route) { return route.access.login; });
}

std::vector<std::string> login_hosts(const Config& config) {
  std::vector<std::string> hosts;
  for (const RouteConfig& route : config.routes) {
    if (!route.access.login) continue;
    for (const std::string& host : route.match.hosts) {
      if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
    }
  }
  return hosts;
}

}  // namespace gatehouse::gateway
