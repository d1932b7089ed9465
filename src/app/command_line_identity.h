#pragma once
// gatehouse keys, user, group, client, session: their words and options, as parts of the command line.

#include <string>

#include "app/command_line_parts.h"
#include "app/commands/identity_commands.h"
#include "app/commands/keys.h"

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

void add_identity_commands(const CommandLineParts& parts, IdentityOptions& options);

}  // namespace gatehouse::app
