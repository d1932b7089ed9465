#pragma once
// gatehouse events, verify: their words and options, as parts of the command line.

#include "app/command_line_parts.h"
#include "app/commands/events.h"
#include "app/commands/verify.h"

namespace gatehouse::app {

// Where the options land.
struct WatchOptions {
  EventsOptions events;
  VerifyOptions verify;
};

void add_watch_commands(const CommandLineParts& parts, WatchOptions& options);

}  // namespace gatehouse::app
