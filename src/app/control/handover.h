#pragma once
// Replacing the running program by a new one without refusing a connection: the successor inherits the listening
// sockets, says when it serves, and only then the predecessor drains.
//
//   GATEHOUSE_SOCKETS   "127.0.0.1:8080=7;127.0.0.1:8080=8": configured address and descriptor
//   GATEHOUSE_READY_FD  a pipe that gets "ready" when the successor serves

#include <signal.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "gateway/server/gateway.h"

namespace gatehouse::app {

struct Handover {
  pid_t pid;
  int ready_fd;  // readable when the successor serves, or is gone
};

// The successor's: ours without --ready-fd, whose number is something else's in another process.
std::vector<std::string> arguments_of_successor(std::vector<std::string> ours);

// Starts this program's file anew, with this process's arguments.
Result<Handover> begin_handover(const std::vector<gateway::InheritedSocket>& sockets);

bool is_successor() noexcept;  // until `report_ready`

// In the successor: what it was given. Takes the variables out of the environment.
std::vector<gateway::InheritedSocket> inherited_sockets();
void report_ready();  // to the predecessor, if there is one

// SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2: taken by the control plane, blocked everywhere else.
sigset_t handled_signals();

}  // namespace gatehouse::app
