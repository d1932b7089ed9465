#pragma once
// gatehouse keys, user, group, client, session: their words and options, as parts of the command line.

#include <functional>
#include <string>

#include "app/commands/admin_target.h"
#include "app/commands/identity_commands.h"
#include "app/commands/keys.h"

namespace CLI {
class App;
}

namespace gatehouse::app {

// Where the options land.
struct IdentityOptions {
  UserOptions user;
  GroupOptions group;
  ClientOptions client;
  std::string session;
  RootRotationOptions root;
  bool rotate_root = false, rotate_signing = false;
};

// What the rest of the command line lends: the options of whoever talks to a gateway, and where a command is noted.
struct CommandLineParts {
  CLI::App& app;
  AdminOptions& admin;
  std::function<void(CLI::App*)> admin_options;
  std::function<void(CLI::App*, std::function<int()>)> does;
};

void add_identity_commands(const CommandLineParts& parts, IdentityOptions& options);

}  // namespace gatehouse::app
