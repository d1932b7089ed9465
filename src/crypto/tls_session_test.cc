// What flows: bytes, system calls, back-pressure, ends and errors.
#include "crypto/tls_session.h"

#include <sys/syscall.h>

#include "crypto/tls_test_peer.h"

// The session's own system calls, counted: these definitions stand in front of the C library's. OpenSSL's socket BIO,
// which the peer in these tests uses, reads and writes by other calls.
namespace {
int recv_calls = 0, send_calls = 0;
}  // namespace
extern "C" ssize_t recv(int fd, void* into, std::size_t size, int flags) {
  ++recv_calls;
  return ::syscall(SYS_recvfrom, fd, into, size, flags, nullptr, nullptr);
}
extern "C" ssize_t send(int fd, const void* from, std::size_t size, int flags) {
  ++send_calls;
  return ::syscall(SYS_sendto, fd, from, size, flags, nullptr, 0);
}

namespace gatehouse::crypto {
namespace {

using TlsSessionTest = TlsTest;

TEST_F(TlsSessionTest, OneReadAndOneWriteForARequestOnAnOpenConnection) {
  const auto server = context();
  Peer peer;
  const auto session = connect(*server, peer);
  ASSERT_TRUE(session);
  const std::string head(300, 'h'), body(2000, 'b');
  for (int request = 0; request < 3; ++request) {
    peer.write(std::string(500, 'q'));
    recv_calls = send_calls = 0;
    EXPECT_EQ(read_all(*session).size(), 500U);
    const iovec parts[] = {{const_cast<char*>(head.data()), head.size()},
                           {const_cast<char*>(body.data()), body.size()}};
    EXPECT_EQ(session->write(parts).bytes, 2300U);
    EXPECT_EQ(recv_calls, 1);
    EXPECT_EQ(send_calls, 1) << "session tickets included";
    EXPECT_FALSE(session->pending_write());
    EXPECT_EQ(peer.read().size(), 2300U) << "head and body share a record";
  }
}

TEST_F(TlsSessionTest, LargeBodiesUnderBackPressure) {
  const auto server = context();
  Peer peer;
  const auto session = connect(*server, peer);
  ASSERT_TRUE(session);
  std::string sent(5 * 1024 * 1024, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 2654435761U >> 24);
  std::string received;
  std::size_t accepted = 0, blocked = 0;
  while (received.size() < sent.size()) {
    if (accepted < sent.size()) {
      const TlsResult result = session->write(std::string_view(sent).substr(accepted));
      accepted += result.bytes;
      if (result.status != TlsStatus::ok) {
        ASSERT_EQ(result.status, TlsStatus::want_write);
        ++blocked;
      }
    } else {
      session->flush();
    }
    for (std::string part = peer.read(); !part.empty(); part = peer.read()) received += part;
  }
  EXPECT_GT(blocked, 1U);
  EXPECT_FALSE(session->pending_write());
  EXPECT_TRUE(received == sent);

  // And the other way.
  std::string upload;
  std::size_t at = 0;
  char buffer[64 * 1024];
  while (upload.size() < sent.size()) {
    ERR_clear_error();
    if (at < sent.size()) {
      const int wrote = SSL_write(peer.ssl.get(), sent.data() + at,
                                  static_cast<int>(std::min<std::size_t>(16 * 1024, sent.size() - at)));
      if (wrote > 0) at += static_cast<std::size_t>(wrote);
    }
    session->readable();
    for (;;) {
      const TlsResult result = session->read(buffer);
      if (result.status != TlsStatus::ok) break;
      upload.append(buffer, result.bytes);
    }
  }
  EXPECT_TRUE(upload == sent);
}

TEST_F(TlsSessionTest, EndOfStream) {
  const auto server = context();
  char buffer[100];
  {
    Peer peer;
    const auto session = connect(*server, peer);
    peer.write("last");
    SSL_shutdown(peer.ssl.get());
    session->readable();
    EXPECT_EQ(session->read(buffer).bytes, 4U);
    EXPECT_EQ(session->read(buffer).status, TlsStatus::closed) << "close_notify came in the same segment";
  }
  {
    Peer peer;
    const auto session = connect(*server, peer);
    peer.write("last");
    ::close(std::exchange(sockets_[1], -1));  // without close_notify, and seen in the same event as the data
    session->readable();
    session->peer_closed();
    EXPECT_EQ(session->read(buffer).bytes, 4U);
    EXPECT_EQ(session->read(buffer).status, TlsStatus::closed);
  }
  {
    Peer peer;
    const auto session = connect(*server, peer);
    session->shutdown();
    peer.read();
    EXPECT_EQ(SSL_get_shutdown(peer.ssl.get()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  }
}

TEST_F(TlsSessionTest, GarbageIsAnErrorAndNotACrash) {
  const auto server = context();
  for (const std::string_view bytes : {"GET / HTTP/1.1\r\n\r\n", "\x16\x03\x01\xff\xff garbage", "\x80\x2e\x01"}) {
    close_sockets();
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets_.data()), 0);
    const auto session = server->accept(sockets_[0]);
    ASSERT_EQ(::write(sockets_[1], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    ::shutdown(sockets_[1], SHUT_WR);
    session->peer_closed();
    EXPECT_EQ(session->handshake(), TlsStatus::error);
    EXPECT_EQ(session->handshake(), TlsStatus::error) << "stays dead";
    char buffer[10];
    EXPECT_EQ(session->read(buffer).status, TlsStatus::error);
    EXPECT_EQ(session->write("x").status, TlsStatus::error);
    EXPECT_FALSE(session->error().empty());
  }
}

// Our client against our server, over a relay that hands on one byte at a time, so that every boundary is hit.
TEST_F(TlsSessionTest, ClientAndServerOneByteAtATime) {
  TlsClientOptions options{.ca_file = authority_->certificate_file(), .alpn = {"h2"}};
  struct Case {
    const char* name;
    std::string server_name;
    bool accepted;
  };
  const Case cases[] = {{"its name", "shop.example", true},
                        {"a name it has not", "bank.example", false},
                        {"an address it has not", "127.0.0.1", false}};
  const auto server = context();
  const auto client = TlsClientContext::create(options);
  ASSERT_TRUE(client) << client.error().message;
  for (const Case& c : cases) {
    int left[2], right[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, left), 0);
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, right), 0);
    const auto ours = (*client)->connect(left[0], c.server_name);
    const auto theirs = server->accept(right[0]);
    const auto relay = [](int from, int to) {
      char byte;
      const bool moved = ::read(from, &byte, 1) != 1 || ::write(to, &byte, 1) == 1;
      EXPECT_TRUE(moved);
    };
    TlsStatus a = TlsStatus::want_read, b = TlsStatus::want_read;
    std::string heard;
    bool said = false;
    for (int round = 0; round < 20'000 && heard.empty(); ++round) {
      relay(left[1], right[1]);
      relay(right[1], left[1]);
      ours->readable();
      theirs->readable();
      if (a == TlsStatus::want_read) a = ours->handshake();
      if (b == TlsStatus::want_read) b = theirs->handshake();
      if (a == TlsStatus::error) break;
      if (a == TlsStatus::ok && !said) said = ours->write("ping").bytes == 4;
      if (b == TlsStatus::ok) heard += read_all(*theirs);
    }
    EXPECT_EQ(heard, c.accepted ? "ping" : "") << c.name;
    if (c.accepted) {
      EXPECT_EQ(ours->alpn(), "h2");
    } else {
      EXPECT_NE(ours->error().find("certificate"), std::string::npos) << ours->error();
    }
    for (const int fd : {left[0], left[1], right[0], right[1]}) ::close(fd);
  }
}

TEST_F(TlsSessionTest, AnUpstreamThatIsCutShortIsAnError) {
  const auto client = TlsClientContext::create({.ca_file = authority_->certificate_file()});
  ASSERT_TRUE(client);
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
  const auto server = context();
  const auto ours = (*client)->connect(fds[0], "shop.example");
  auto theirs = server->accept(fds[1]);
  for (int round = 0; round < 5; ++round) {
    ours->readable(), theirs->readable();
    ours->handshake();
    theirs->handshake();
  }
  theirs->write("part");
  ::close(fds[1]);
  ours->readable();
  ours->peer_closed();
  char buffer[100];
  EXPECT_EQ(ours->read(buffer).bytes, 4U);
  EXPECT_EQ(ours->read(buffer).status, TlsStatus::error);
  ::close(fds[0]);
}

}  // namespace
}  // namespace gatehouse::crypto
