#pragma once
// `gatehouse dev`: the demo's services behind a fully armed gateway, with certificate, users and keys made for this
// run.
//
// Everything it makes is in one folder of mode 0700, and a keeper process, apart from the gateway's, owns the services
// and that folder: whatever becomes of the gateway, Ctrl-C or SIGKILL, the keeper ends the services and removes the
// folder. See app/dev/.

#include <cstdint>
#include <string>

namespace gatehouse::app {

struct DevOptions {
  std::uint16_t port = 8443;  // a free one is taken when it is in use
  std::string demo_dir;       // empty: GATEHOUSE_DEMO_DIR, or beside the program
};

// Runs until SIGINT or SIGTERM; returns the exit code.
int run_dev(const DevOptions& options);

}  // namespace gatehouse::app
