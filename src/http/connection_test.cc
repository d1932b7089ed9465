// A connection over a pair of sockets and a real loop: what leaves in which call, what waits, and how it ends.
#include "http/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <functional>
#include <memory>
#include <string>

namespace gatehouse::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct ScriptedSession final : Session {
  std::string got;
  int eofs = 0, writables = 0, flushes = 0, closes = 0, deadlines = 0;
  std::function<void()> data_hook, writable_hook, flushed_hook, before_hook, eof_hook;
  void on_data(std::string_view data) override {
    EXPECT_EQ(closes, 0);
    got.append(data);
    if (data_hook) data_hook();
  }
  void on_eof() override {
    ++eofs;
    if (eof_hook) eof_hook();
  }
  void before_flush() override {
    if (before_hook) before_hook();
  }
  void on_writable() override {
    ++writables;
    if (writable_hook) writable_hook();
  }
  void after_flush() override {
    ++flushes;
    if (flushed_hook) flushed_hook();
  }
  void on_closed() override {
    ++closes;
    EXPECT_EQ(closes, 1);
  }
  void on_deadline() override { ++deadlines; }
  void drain() override {}
};

class TestConnection final : public Connection {
 public:
  TestConnection(net::Loop& loop, net::Fd fd, bool with_session) : Connection(loop, net::Stream(std::move(fd))) {
    if (with_session) install();
  }
  void install() {
    auto made = std::make_unique<ScriptedSession>();
    script = made.get();
    set_session(std::move(made));
  }
  void begin(bool connecting) { ASSERT_TRUE(start(connecting ? Begin::connecting : Begin::connected).has_value()); }
  ScriptedSession* script = nullptr;
  int established = 0, gone = 0;
  std::string early, handshake_error;
  bool is_open() const { return open(); }

 private:
  void on_established() override { ++established; }
  void on_early_data(std::string_view data) override { early.append(data); }
  void on_handshake_failed(std::string_view why, bool) override { handshake_error = why; }
  void on_connection_closed() override { ++gone; }
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = net::Loop::create(clock);
    ASSERT_TRUE(made.has_value());
    loop = std::move(*made);
    begin();
  }
  void TearDown() override { connection.reset(); }
  void begin(bool with_session = true) {
    connection.reset();
    int fds[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    const int small = 32 * 1024;
    ::setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    peer = net::Fd(fds[1]);
    connection = std::make_unique<TestConnection>(*loop, net::Fd(fds[0]), with_session);
    connection->begin(false);
    run();
  }
  void run(int turns = 4) {
    for (int i = 0; i < turns; ++i) loop->run_once(Duration::zero());
  }
  void pass(Duration by) {
    clock.advance(by);
    run();
  }
  void peer_sends(std::string_view data) {
    while (!data.empty()) {
      const ssize_t sent = ::send(peer.get(), data.data(), data.size(), MSG_NOSIGNAL);
      if (sent > 0) data.remove_prefix(static_cast<std::size_t>(sent));
      run();
      ASSERT_TRUE(sent > 0 || errno == EAGAIN);
    }
  }
  // What the peer can read now; `ended`: it has seen our end.
  std::string peer_reads(std::size_t most = SIZE_MAX) {
    std::string text;
    char buffer[65536];
    while (text.size() < most) {
      const ssize_t got = ::recv(peer.get(), buffer, std::min(sizeof buffer, most - text.size()), 0);
      if (got <= 0) {
        ended = got == 0 || errno == ECONNRESET;
        break;
      }
      text.append(buffer, static_cast<std::size_t>(got));
    }
    return text;
  }
  // Reads until the sender has no more, letting the loop run in between.
  std::string peer_reads_all() {
    std::string text;
    for (std::string part; !(part = peer_reads()).empty(); run()) text += part;
    return text;
  }
  ScriptedSession& script() { return *connection->script; }

  FakeClock clock;
  std::unique_ptr<net::Loop> loop;
  net::Fd peer;
  bool ended = false;
  std::unique_ptr<TestConnection> connection;
};

TEST_F(ConnectionTest, SmallWritesLeaveTogetherAtTheEndOfTheBatch) {
  connection->write("one ");
  connection->write("two");
  EXPECT_EQ(peer_reads(), "");
  EXPECT_EQ(connection->buffered(), 7u);
  run(1);
  EXPECT_EQ(peer_reads(), "one two");
  EXPECT_EQ(connection->buffered(), 0u);
  EXPECT_EQ(connection->bytes_out(), 7u);
  EXPECT_EQ(script().flushes, 1);
}

// A few bytes fit into a string without memory of its own; once a buffer lay in the shard's pool, the next write took
// it and lost them: "HTTP/1.1 100 Continue" and the first frame headers of HTTP/2 were cut off.
TEST_F(ConnectionTest, AShortWriteIsNotLostToAPooledBuffer) {
  connection->write(std::string(200, 'x'));
  run(1);
  EXPECT_EQ(peer_reads().size(), 200u);
  connection->write("tiny ");
  connection->write("and more");
  run(1);
  EXPECT_EQ(peer_reads(), "tiny and more");
}

TEST_F(ConnectionTest, WhatTheSessionWritesBeforeAFlushLeavesWithIt) {
  bool once = true;
  script().before_hook = [&] {
    if (std::exchange(once, false)) connection->write("frame");
  };
  connection->request_flush();
  run(1);
  EXPECT_EQ(peer_reads(), "frame");
}

TEST_F(ConnectionTest, LargeWritesGoPastTheBufferBehindWhatWaits) {
  const std::string body(10'000, 'b');
  connection->write("head ");
  connection->write(body);
  EXPECT_EQ(connection->buffered(), 0u);
  EXPECT_EQ(peer_reads(), "head " + body) << "without a turn of the loop";
  connection->write(" tail");
  run(1);
  EXPECT_EQ(peer_reads(), " tail");
}

TEST_F(ConnectionTest, PartialWritesKeepTheirOrder) {
  std::string sent;
  for (int i = 0; i < 200; ++i) {
    const std::string part(static_cast<std::size_t>(i % 3 == 0 ? 9000 : 100), static_cast<char>('a' + i % 26));
    connection->write(part);
    sent += part;
    if (i % 7 == 0) run(1);
  }
  EXPECT_GT(connection->buffered(), kLowWater);
  std::string got;
  while (got.size() < sent.size()) {
    const std::string part = peer_reads(7777);
    ASSERT_TRUE(!part.empty() || connection->buffered() > 0);
    got += part;
    run(2);
  }
  EXPECT_EQ(got, sent);
  EXPECT_EQ(connection->bytes_out(), sent.size());
  EXPECT_EQ(script().writables, 1);
  EXPECT_EQ(connection->buffered(), 0u);
}

TEST_F(ConnectionTest, TheSessionMayWriteWhenItIsToldThatThereIsRoom) {
  int refills = 0;
  script().writable_hook = [&] {
    if (++refills < 5) connection->write(std::string(300'000, 'x'));
  };
  connection->write(std::string(300'000, 'x'));
  EXPECT_EQ(peer_reads_all().size(), 1'500'000u);
  EXPECT_EQ(refills, 5);
}

TEST_F(ConnectionTest, ReadingPausesAndGoesOn) {
  peer_sends("one");
  connection->pause_reading();
  peer_sends("two");
  EXPECT_EQ(script().got, "one");
  connection->resume_reading();
  EXPECT_EQ(script().got, "one") << "not inside the call: the read buffer may be in use";
  run();
  EXPECT_EQ(script().got, "onetwo");
  // In the middle of what has come: what was read is delivered, the rest stays in the kernel.
  script().data_hook = [this] { connection->pause_reading(); };
  const std::string much(150'000, 'y');
  (void)::send(peer.get(), much.data(), much.size(), MSG_NOSIGNAL);
  script().got.clear();
  run();
  EXPECT_LE(script().got.size(), net::Loop::kScratchBytes);
  EXPECT_GT(script().got.size(), 0u);
  script().data_hook = nullptr;
  connection->resume_reading();
  run(20);
  EXPECT_GT(script().got.size(), net::Loop::kScratchBytes);
}

TEST_F(ConnectionTest, TheEndThatComesTogetherWithTheLastDataIsSeen) {
  (void)::send(peer.get(), "last", 4, MSG_NOSIGNAL);
  ::shutdown(peer.get(), SHUT_WR);
  run();
  EXPECT_EQ(script().got, "last");
  EXPECT_EQ(script().eofs, 1);
  connection->write("still here");
  run();
  EXPECT_EQ(peer_reads(), "still here");
}

TEST_F(ConnectionTest, TheEndWaitsWhileReadingIsPaused) {
  connection->pause_reading();
  (void)::send(peer.get(), "last", 4, MSG_NOSIGNAL);
  ::shutdown(peer.get(), SHUT_WR);
  run();
  EXPECT_EQ(script().eofs, 0);
  connection->resume_reading();
  run();
  EXPECT_EQ(script().got, "last");
  EXPECT_EQ(script().eofs, 1);
}

TEST_F(ConnectionTest, APeerThatIsGone) {
  peer.reset();
  run();
  EXPECT_EQ(script().eofs, 1);
  connection->write("to nobody");
  run();
  EXPECT_EQ(script().closes, 1);
  EXPECT_EQ(connection->gone, 1);
}

// A peer that answers and closes with our data unread resets the connection behind its answer.
TEST_F(ConnectionTest, WhatCameBeforeAResetIsDelivered) {
  connection->write("unread");
  run();
  (void)::send(peer.get(), "answer", 6, MSG_NOSIGNAL);
  peer.reset();
  run();
  EXPECT_EQ(script().got, "answer");
  EXPECT_EQ(script().eofs + script().closes, 1);
}

TEST_F(ConnectionTest, CloseAfterFlush) {
  connection->write("bye");
  connection->close_after_flush();
  run();
  EXPECT_EQ(peer_reads(), "bye");
  peer_reads();
  EXPECT_TRUE(ended) << "our half is closed";
  EXPECT_EQ(connection->gone, 0) << "lingering: the peer may still be reading";
  (void)::send(peer.get(), "more", 4, MSG_NOSIGNAL);
  run();
  EXPECT_EQ(script().got, "");
  ::shutdown(peer.get(), SHUT_WR);
  run();
  EXPECT_EQ(connection->gone, 1);
  EXPECT_EQ(script().closes, 1);
}

TEST_F(ConnectionTest, LingeringEnds) {
  connection->write("bye");
  connection->close_after_flush();
  run();
  pass(seconds(3));
  EXPECT_EQ(connection->gone, 1);
}

TEST_F(ConnectionTest, ClosingWaitsForAPeerThatReadsSlowlyButNotForOneThatDoesNot) {
  connection->write(std::string(600'000, 'x'));
  connection->close_after_flush();
  run();
  for (int i = 0; i < 5; ++i) {
    pass(seconds(8));
    ASSERT_EQ(connection->gone, 0) << i;
    peer_reads();
    run();
  }
  pass(seconds(11));
  pass(seconds(11));
  EXPECT_EQ(connection->gone, 1);
}

TEST_F(ConnectionTest, ClosingReadsOnEvenWhenPaused) {
  connection->pause_reading();
  (void)::send(peer.get(), "x", 1, MSG_NOSIGNAL);
  ::shutdown(peer.get(), SHUT_WR);
  run();
  connection->close_after_flush();
  run();
  EXPECT_EQ(connection->gone, 1);
  EXPECT_EQ(script().got, "");
}

TEST_F(ConnectionTest, CloseNowInsideAnyCallback) {
  struct {
    const char* name;
    std::function<void()> ScriptedSession::*hook;
  } const cases[] = {{"on_data", &ScriptedSession::data_hook},
                     {"on_eof", &ScriptedSession::eof_hook},
                     {"before_flush", &ScriptedSession::before_hook},
                     {"after_flush", &ScriptedSession::flushed_hook},
                     {"on_writable", &ScriptedSession::writable_hook}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    script().*c.hook = [this] { connection->close_now(); };
    (void)::send(peer.get(), "data", 4, MSG_NOSIGNAL);
    connection->write(std::string(200'000, 'x'));
    ::shutdown(peer.get(), SHUT_WR);
    run();
    peer_reads_all();
    run();
    EXPECT_EQ(connection->gone, 1);
    EXPECT_EQ(script().closes, 1);
    EXPECT_FALSE(connection->is_open());
    // Nothing stirs any more.
    connection->write("x");
    connection->resume_reading();
    connection->close_after_flush();
    connection->set_deadline(milliseconds(1));
    pass(seconds(1));
    EXPECT_EQ(connection->gone, 1);
    EXPECT_EQ(script().deadlines, 0);
  }
}

TEST_F(ConnectionTest, Deadlines) {
  connection->set_deadline(seconds(5));
  pass(seconds(4));
  EXPECT_EQ(script().deadlines, 0);
  connection->set_deadline(seconds(5));
  pass(seconds(4));
  EXPECT_EQ(script().deadlines, 0);
  pass(seconds(2));
  EXPECT_EQ(script().deadlines, 1);
  connection->set_deadline(seconds(5));
  connection->set_deadline(Duration::zero());
  pass(seconds(60));
  EXPECT_EQ(script().deadlines, 1);
}

TEST_F(ConnectionTest, WithoutASessionBytesAreOfferedToTheOwner) {
  begin(false);
  peer_sends("early");
  EXPECT_EQ(connection->early, "early");
  connection->install();
  peer_sends("late");
  EXPECT_EQ(script().got, "late");
}

TEST_F(ConnectionTest, WhatIsWrittenWhileConnectingLeavesOnceConnected) {
  auto listening = net::listen_tcp(net::SocketAddress::tcp(IpAddress::v4(0x7f000001), 0));
  ASSERT_TRUE(listening.has_value());
  net::SocketAddress address;
  address.length = sizeof address.storage;
  ASSERT_EQ(::getsockname(listening->get(), reinterpret_cast<sockaddr*>(&address.storage), &address.length), 0);
  auto fd = net::connect_start(address);
  ASSERT_TRUE(fd.has_value());
  connection = std::make_unique<TestConnection>(*loop, std::move(*fd), true);
  connection->begin(true);
  connection->write(std::string(20'000, 'x'));
  EXPECT_EQ(connection->buffered(), 20'000u);
  for (int i = 0; i < 100 && connection->established == 0; ++i) loop->run_once(milliseconds(10));
  EXPECT_EQ(connection->established, 1);
  run();
  EXPECT_EQ(connection->buffered(), 0u);
  // Refused: nobody listens there any more.
  listening->reset();
  fd = net::connect_start(address);
  if (!fd) return;  // at once, on some kernels
  connection = std::make_unique<TestConnection>(*loop, std::move(*fd), true);
  connection->begin(true);
  for (int i = 0; i < 100 && connection->gone == 0; ++i) loop->run_once(milliseconds(10));
  EXPECT_EQ(connection->gone, 1);
  EXPECT_EQ(connection->established, 0);
  EXPECT_FALSE(connection->handshake_error.empty());
}

}  // namespace
}  // namespace gatehouse::http
