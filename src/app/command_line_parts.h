#pragma once
// What the command line lends to those who add commands to it.

#include <functional>

#include "app/commands/admin_target.h"

namespace CLI {
class App;
}

namespace gatehouse::app {

// The options of whoever talks to a gateway, and where a command is noted.
struct CommandLineParts {
  CLI::App& app;
  AdminOptions& admin;
  std::function<void(CLI::App*)> admin_options;
  std::function<void(CLI::App*, std::function<int()>)> does;
};

}  // namespace gatehouse::app
