#pragma once
// `gatehouse events`: what the running gateway has kept of requests and acts, searched. Prints and exits as the
// commands of admin_commands.h do.

#include <string>
#include <utility>
#include <vector>

#include "app/commands/admin_client.h"

namespace gatehouse::app {

struct EventsOptions {
  // Names and values of GET /v1/events, in the order in which they were given.
  std::vector<std::pair<std::string, std::string>> query;
  std::uint32_t limit = 50;
  bool json = false;
};

int run_events(const AdminTarget& target, const EventsOptions& options);

}  // namespace gatehouse::app
