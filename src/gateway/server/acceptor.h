#pragma once
// A listening socket on one loop. Accepts in batches, and sheds load when descriptors run out: one is held in reserve,
// so that a waiting client is told (by a close) instead of being left in the backlog.

#include "net/loop.h"
#include "net/socket.h"

namespace gatehouse::gateway {

// Who gets what an acceptor accepts. Both calls come on the acceptor's loop.
class AcceptSink {
 public:
  virtual void accepted(std::uint32_t listener_id, net::Fd socket, const net::SocketAddress& peer) = 0;
  virtual void connection_shed(std::uint32_t listener_id) = 0;  // descriptors ran out; it was closed

 protected:
  ~AcceptSink() = default;
};

class Acceptor final : private net::IoHandler, private net::Timer::Handler {
 public:
  static Result<std::unique_ptr<Acceptor>> create(net::Loop& loop, AcceptSink& sink, std::uint32_t listener_id,
                                                  net::Fd socket);
  ~Acceptor();
  std::uint32_t listener_id() const noexcept { return listener_id_; }
  // Stops watching, and takes what came until then: the kernel may have woken us for it alone, and not the program that
  // listens on the same socket from now on.
  void finish();

 private:
  Acceptor(net::Loop& loop, AcceptSink& sink, std::uint32_t listener_id, net::Fd socket);
  void on_io(std::uint32_t events) override;
  void on_timer(net::Timer& timer) override;
  bool accept_some();  // false: more may wait
  void shed();

  static constexpr int kAcceptsPerTurn = 64;
  static constexpr int kLastTurns = 64;  // of `finish`: as much as the longest backlog holds

  net::Loop& loop_;
  AcceptSink& sink_;
  std::uint32_t listener_id_;
  net::Fd socket_;
  net::Fd reserve_;
  net::IoToken token_;
  net::Timer again_{*this};
};

}  // namespace gatehouse::gateway
