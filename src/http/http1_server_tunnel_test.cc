// The server's session: tunnels, and streams that are given up inside their own events.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/fake_peers.h"
#include "http/http1_server.h"

namespace gatehouse::http {
namespace {

using std::chrono::seconds;

class Http1ServerTunnelTest : public testing::Test {
 protected:
  void SetUp() override { begin(); }
  void begin() {
    transport = std::make_unique<FakeTransport>(clock);
    session = make_http1_server(*transport, sink, info, options);
    transport->attach(*session);
  }
  void open() {
    ResponseHead head;
    head.status = 101;
    head.fields.add("upgrade", "websocket");
    sink.last().stream->open_tunnel(head);
  }

  FakeClock clock;
  RecordingSink sink;
  ConnectionInfo info;
  Http1ServerOptions options;
  std::unique_ptr<FakeTransport> transport;
  std::unique_ptr<Session> session;
};

const std::string kUpgrade = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";

TEST_F(Http1ServerTunnelTest, BytesBothWays) {
  transport->peer_sends(kUpgrade);
  RecordedRequest& request = sink.last();
  EXPECT_TRUE(request.tunnel);
  open();
  transport->peer_sends("up");
  request.stream->send_body("down", End::no);
  transport->turn();
  EXPECT_EQ(request.body, "up");
  EXPECT_EQ(transport->take(), kSwitching + "down");
  transport->pass(10 * options.idle_timeout);
  EXPECT_FALSE(request.aborted) << "silence is the tunnel's own affair";
  request.stream->send_body("bye", End::yes);
  transport->turn();
  EXPECT_EQ(transport->take(), "bye");
  EXPECT_FALSE(request.complete);
  transport->peer_ends();
  EXPECT_TRUE(request.complete);
  EXPECT_TRUE(transport->closing());
}

TEST_F(Http1ServerTunnelTest, WhatTheClientSentTooEarlyIsNotLost) {
  transport->peer_sends(kUpgrade + "early");
  transport->peer_sends("bird");
  RecordedRequest& request = sink.last();
  EXPECT_EQ(request.body, "");
  open();
  EXPECT_EQ(request.body, "") << "its opener is not ready inside the call";
  transport->peer_sends("late");
  EXPECT_EQ(request.body, "earlybirdlate");
}

TEST_F(Http1ServerTunnelTest, EarlyBytesAreBoundedAndReadingGoesOnAfterwards) {
  transport->peer_sends(kUpgrade);
  transport->peer_sends(std::string(20'000, 'x'));
  transport->peer_sends("more");
  EXPECT_TRUE(transport->paused());
  open();
  transport->turn();
  EXPECT_FALSE(transport->paused());
  EXPECT_EQ(sink.last().body.size(), 20'004u);
}

TEST_F(Http1ServerTunnelTest, TheClientsHalfCloseIsPassedOn) {
  for (const bool before_open : {false, true}) {
    SCOPED_TRACE(before_open);
    begin();
    transport->peer_sends(kUpgrade + "early");
    if (before_open) transport->peer_ends();
    RecordedRequest& request = sink.last();
    bool ended_in_tunnel = false;
    request.end_hook = [&] { ended_in_tunnel = true; };
    open();
    transport->turn();
    if (!before_open) transport->peer_ends();
    EXPECT_EQ(request.body, "early");
    EXPECT_TRUE(ended_in_tunnel);
    request.stream->send_body("rest", End::yes);
    transport->turn();
    EXPECT_EQ(transport->take(), kSwitching + "rest");
    EXPECT_TRUE(request.complete);
  }
}

TEST_F(Http1ServerTunnelTest, OurHalfCloseLeavesTheirsOpen) {
  transport->peer_sends(kUpgrade);
  open();
  RecordedRequest& request = sink.last();
  request.stream->send_body("bye", End::yes);
  transport->turn();
  EXPECT_TRUE(transport->half_closed());
  EXPECT_FALSE(transport->closing());
  EXPECT_FALSE(request.complete);
  transport->peer_sends("the last word");
  EXPECT_EQ(request.body, "the last word");
  transport->peer_ends();
  EXPECT_TRUE(request.complete);
  EXPECT_TRUE(transport->closing());
}

TEST_F(Http1ServerTunnelTest, AClientThatDoesNotReadItsTunnel) {
  transport->peer_sends(kUpgrade);
  open();
  transport->window = 0;
  sink.last().stream->send_body("x", End::no);
  transport->turn();
  transport->pass(2 * options.idle_timeout);
  EXPECT_EQ(sink.last().reason, Reason::body_too_slow);
}

TEST_F(Http1ServerTunnelTest, WithoutATunnelTheBytesBehindAreTheNextRequest) {
  transport->peer_sends(kUpgrade + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  ResponseHead head;
  head.status = 403;
  sink.last().stream->send_head(head, End::yes);
  transport->turn();
  EXPECT_EQ(sink.last().target, "/next");
  open();  // was not asked for: nothing happens
  transport->turn();
  EXPECT_EQ(transport->take(), "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
}

// Whoever gives a stream up inside one of its events hears no more of it, and nothing behind it is looked at.
TEST_F(Http1ServerTunnelTest, AbortInsideEveryEvent) {
  const std::string body = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const std::string next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
  struct {
    const char* name;
    std::string bytes;
    std::function<void(RecordedRequest&)> handler;
  } const cases[] = {
      {"on_request", body + next, [](RecordedRequest& r) { r.abort(); }},
      {"on_body", body + next, [](RecordedRequest& r) { r.body_hook = [&r] { r.abort(); }; }},
      {"on_request_end", body + next, [](RecordedRequest& r) { r.end_hook = [&r] { r.abort(); }; }},
      {"on_body of a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi" + next,
       [](RecordedRequest& r) { r.body_hook = [&r] { r.abort(); }; }},
      {"on_body of a tunnel", kUpgrade + "early",
       [this](RecordedRequest& r) {
         r.body_hook = [&r] { r.abort(); };
         open();
       }},
      {"on_drained", next,
       [this](RecordedRequest& r) {
         r.drained_hook = [&r] { r.abort(); };
         ResponseHead head;
         head.status = 200;
         r.stream->send_head(head, End::no);
         r.stream->send_body(std::string(kHighWater, 'x'), End::yes);
         transport->window = kHighWater;
       }},
  };
  for (const auto& c : cases) {
    for (const bool at_once : {true, false}) {
      SCOPED_TRACE(c.name);
      begin();
      const std::size_t before = sink.requests.size();
      sink.handler = c.handler;
      if (at_once) {
        transport->peer_sends(c.bytes);
      } else {
        for (const char byte : c.bytes) transport->peer_sends(std::string(1, byte));
      }
      ASSERT_EQ(sink.requests.size(), before + 1);
      EXPECT_TRUE(sink.last().aborted);
      EXPECT_TRUE(transport->dead());
    }
  }
}

TEST_F(Http1ServerTunnelTest, AnswersInsideEveryEvent) {
  const std::string body = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
  const auto answer = [](RecordedRequest& request) {
    ResponseHead head;
    head.status = 200;
    head.content_length = 2;
    request.stream->send_head(head, End::no);
    request.stream->send_body("ok", End::yes);
  };
  struct {
    const char* name;
    std::function<void(RecordedRequest&)> handler;
  } const cases[] = {
      {"on_request", answer},
      {"on_body", [&](RecordedRequest& r) { r.body_hook = [&] { answer(r), r.body_hook = nullptr; }; }},
      {"on_request_end", [&](RecordedRequest& r) { r.end_hook = [&] { answer(r); }; }},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    sink.handler = c.handler;
    transport->peer_sends(body + body);
    const std::string one = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    EXPECT_EQ(transport->take(), one + one);
    EXPECT_TRUE(sink.last().complete);
    EXPECT_TRUE(sink.last().ended);
    EXPECT_FALSE(transport->closing());
  }
}

}  // namespace
}  // namespace gatehouse::http
