#pragma once
// `gatehouse run`: the gateway itself.

#include <functional>
#include <string>

namespace gatehouse::app {

struct RunOptions {
  std::string config_path = "gatehouse.yaml";
  // When not -1: one JSON line, {"pid":..,"listeners":{NAME:ADDRESS},"metrics":..,"admin":..}, is written there once
  // all ports are open, and it is closed.
  int ready_fd = -1;
  std::function<void()> on_ready;  // in the same moment, for `gatehouse dev`
};

// Runs until SIGTERM or SIGINT. 0 after a clean drain, 1 when something failed, 2 when the configuration isn't valid.
int run_gateway(const RunOptions& options);

}  // namespace gatehouse::app
