#include "gateway/server/acceptor.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace gatehouse::gateway {

Acceptor::Acceptor(net::Loop& loop, AcceptSink& sink, std::uint32_t listener_id, net::Fd socket)
    : loop_(loop), sink_(sink), listener_id_(listener_id), socket_(std::move(socket)) {
  reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

Acceptor::~Acceptor() { loop_.remove(token_, socket_.get()); }

Result<std::unique_ptr<Acceptor>> Acceptor::create(net::Loop& loop, AcceptSink& sink, std::uint32_t listener_id,
                                                   net::Fd socket) {
  std::unique_ptr<Acceptor> acceptor(new Acceptor(loop, sink, listener_id, std::move(socket)));
  // EPOLLEXCLUSIVE: a Unix socket is one socket for all shards, and one of them is enough to wake.
  auto token = loop.add(acceptor->socket_.get(), EPOLLIN | EPOLLEXCLUSIVE, *acceptor);
  if (!token) return tl::unexpected(token.error());
  acceptor->token_ = *token;
  acceptor->accept_some();  // what waited since before we watched
  return acceptor;
}

void Acceptor::on_io(std::uint32_t) { accept_some(); }
void Acceptor::on_timer(net::Timer&) { accept_some(); }

void Acceptor::finish() {
  loop_.remove(token_, socket_.get());
  for (int turn = 0; turn < kLastTurns && !accept_some(); ++turn) {
  }
  again_.cancel();
}

bool Acceptor::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    net::SocketAddress peer;
    peer.length = sizeof peer.storage;
    const int fd = ::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&peer.storage), &peer.length,
                             SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      sink_.accepted(listener_id_, net::Fd(fd), peer);
      continue;
    }
    switch (errno) {
      case EAGAIN: return true;
      case EMFILE:
      case ENFILE: shed(); return false;
      case ENOBUFS:
      case ENOMEM: loop_.arm(again_, std::chrono::milliseconds(100)); return false;
      default: break;  // ECONNABORTED, EINTR, and network errors of the one that came: the next may be good
    }
  }
  // Edge-triggered: nobody tells us again about those that still wait.
  loop_.arm(again_, Duration::zero());
  return false;
}

void Acceptor::shed() {
  reserve_.reset();
  const int fd = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
  if (fd >= 0) {
    ::close(fd);
    sink_.connection_shed(listener_id_);
  }
  reserve_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  loop_.arm(again_, std::chrono::milliseconds(fd >= 0 ? 1 : 100));
}

}  // namespace gatehouse::gateway
