#pragma once
// The demo's services, as children of a keeper process that outlives the gateway for as long as it takes to clean up.
//
// Why a process: the gateway gives up its privileges and may be killed, so it can't be the one to end the services and
// to remove the folder. The keeper blocks on a socket that the gateway's process holds; its end of file, however it
// came about, means: terminate the services, wait, kill, remove the folder, exit. Should the keeper itself be killed,
// the kernel ends the services (PR_SET_PDEATHSIG).
//
// Start it before the process has threads.

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/socket.h"

namespace gatehouse::app {

struct DemoService {
  std::string name;               // "orders"
  std::vector<std::string> argv;  // argv[0] is a path
  std::uint16_t port = 0;         // what it printed
};

class DemoKeeper {
 public:
  // Forks the keeper, which starts `services`; waits until each has printed `{"port": N}` and fills the ports in.
  // `folder` is the keeper's to remove, also when this fails.
  static Result<DemoKeeper> start(std::vector<DemoService>& services, const std::string& folder);

  DemoKeeper(DemoKeeper&&) = default;
  DemoKeeper& operator=(DemoKeeper&&) = delete;
  // Tells the keeper to clean up, and waits until it has.
  ~DemoKeeper();

 private:
  explicit DemoKeeper(net::Fd line) : line_(std::move(line)) {}
  net::Fd line_;
};

}  // namespace gatehouse::app
