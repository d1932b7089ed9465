#pragma once
// `gatehouse run`: the gateway in the foreground, until SIGTERM or SIGINT drains it.
//
//   SIGHUP   reload; a file with mistakes changes nothing
//   SIGUSR1  reopen the access log
//   SIGUSR2  start the program anew with the same sockets, then drain: an upgrade that refuses no connection
//   SIGTERM, SIGINT  drain within `process.drain_timeout`; a second one ends at once

#include <functional>
#include <map>
#include <string>

namespace gatehouse::app {

struct ReadyInfo {
  std::map<std::string, std::string> listeners;  // name to address, ports as they are
  std::string admin, metrics;                    // empty: off
};

struct RunOptions {
  std::string config_path = "gatehouse.yaml";
  int ready_fd = -1;  // gets one line of JSON (ReadyInfo) once connections are served
  std::function<void()> on_ready;
};

// The exit code: 0 after a clean drain, 1 when it could not start or go on, 2 for an invalid configuration.
int run_gateway(const RunOptions& options);

}  // namespace gatehouse::app
