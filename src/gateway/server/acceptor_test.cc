#include "gateway/server/acceptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <vector>

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

struct Taken final : AcceptSink {
  void accepted(std::uint32_t, net::Fd socket, const net::SocketAddress&) override {
    sockets.push_back(std::move(socket));
  }
  void connection_shed(std::uint32_t) override { FAIL() << "there are descriptors enough"; }
  std::vector<net::Fd> sockets;
};

// A program on a listening socket that it shares.
struct Program {
  explicit Program(const net::Fd& socket)
      : loop(net::Loop::create().value()),
        acceptor(Acceptor::create(*loop, taken, 1, net::Fd(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3))).value()) {}
  std::unique_ptr<net::Loop> loop;
  Taken taken;
  std::unique_ptr<Acceptor> acceptor;
};

struct Listening {
  Listening() : socket(net::listen_tcp(net::SocketAddress::tcp(*IpAddress::parse("127.0.0.1"), 0)).value()) {
    address.length = sizeof address.storage;
    ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.length);
  }
  net::Fd connect() const {
    net::Fd client(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), reinterpret_cast<const sockaddr*>(&address.storage), address.length), 0);
    return client;
  }
  net::Fd socket;
  net::SocketAddress address;
};

// A client that connected while a successor took over hung until the next one came: the kernel had woken the old
// program for it, whose drain forgot the event.
TEST(Acceptor, NoConnectionIsLostBetweenTwoProgramsOnOneSocket) {
  for (const int before : {0, 1, 100}) {
    SCOPED_TRACE(before);
    const Listening listening;
    Program old(listening.socket), successor(listening.socket);
    std::vector<net::Fd> clients;
    for (int i = 0; i < before; ++i) clients.push_back(listening.connect());
    old.acceptor->finish();
    for (int i = 0; i < 3; ++i) {
      clients.push_back(listening.connect());
      successor.loop->run_once(1s);
    }
    old.loop->run_once(0ms);
    EXPECT_EQ(old.taken.sockets.size() + successor.taken.sockets.size(), clients.size());
    EXPECT_EQ(old.taken.sockets.size(), static_cast<std::size_t>(before));
  }
}

}  // namespace
}  // namespace gatehouse::gateway
