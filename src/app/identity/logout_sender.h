#pragma once
// Logout tokens on their way to clients (OIDC Back-Channel Logout §2.5): POSTs by a thread of their own, tried again
// when an answer does not come.
//
// Thread safety: any thread; `send` never waits for the network. TLS is verified; plain http goes to the loopback
// address only (Client registration sees to that).

#include <string>

#include "app/delivery/retry_queue.h"

namespace gatehouse::app {

class LogoutSender {
 public:
  static constexpr std::size_t kWaitingMax = 10'000;

  explicit LogoutSender(const Clock& clock) : queue_("logout", kWaitingMax, clock, RetryQueue::Thread::own) {}
  void send(const std::string& uri, const std::string& logout_token);

 private:
  RetryQueue queue_;
};

}  // namespace gatehouse::app
