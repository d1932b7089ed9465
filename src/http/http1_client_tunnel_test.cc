// The client's session: upgrades, and streams that are given up inside their own events.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/fake_peers.h"
#include "http/http1_client.h"

namespace gatehouse::http {
namespace {

class Http1ClientTunnelTest : public testing::Test {
 protected:
  void SetUp() override { begin(); }
  void begin() {
    owner = {};
    transport = std::make_unique<FakeTransport>(clock);
    session = make_http1_client(*transport, owner, options);
    transport->attach(*session);
    responses.push_back(std::make_unique<RecordedResponse>());
    response = responses.back().get();
    stream = &session->open(*response);
  }
  void upgrade(std::optional<std::uint64_t> length = std::nullopt, End end = End::no) {
    RequestHead head;
    head.method = "GET";
    head.target = "/ws";
    head.authority = "up";
    head.content_length = length;
    head.fields.add("upgrade", "websocket");
    stream->send_head(head, end);
    transport->turn();
  }
  void abort() {
    response->abandoned = true;
    stream->abort();
  }

  FakeClock clock;
  RecordingOwner owner;
  Http1ClientOptions options;
  std::unique_ptr<FakeTransport> transport;
  std::unique_ptr<ClientSession> session;
  std::vector<std::unique_ptr<RecordedResponse>> responses;
  RecordedResponse* response = nullptr;
  ClientStream* stream = nullptr;
};

const std::string kSwitching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\r\n";

TEST_F(Http1ClientTunnelTest, BytesBothWays) {
  upgrade();
  EXPECT_EQ(transport->take(), "GET /ws HTTP/1.1\r\nhost: up\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
  transport->peer_sends(kSwitching + "early");
  EXPECT_EQ(response->status, 101);
  stream->send_body("up", End::no);
  transport->turn();
  EXPECT_EQ(transport->take(), "up");
  transport->peer_sends("down");
  EXPECT_EQ(response->body, "earlydown");
  stream->send_body({}, End::yes);
  transport->peer_ends();
  EXPECT_TRUE(response->ended);
  EXPECT_EQ(owner.closed, 1);
}

TEST_F(Http1ClientTunnelTest, TheirHalfCloseLeavesOursOpen) {
  upgrade();
  transport->take();
  transport->peer_sends(kSwitching + "their last word");
  transport->peer_ends();
  EXPECT_EQ(response->body, "their last word");
  EXPECT_TRUE(response->tunnel_ended);
  EXPECT_FALSE(response->over() || transport->closing());
  transport->window = 3;
  stream->send_body("and ", End::no);
  stream->send_body("ours", End::yes);
  transport->turn();
  EXPECT_EQ(transport->take(), "and");
  EXPECT_FALSE(response->over()) << "it is not out yet";
  transport->window = SIZE_MAX;
  transport->request_flush();
  transport->turn();
  EXPECT_EQ(transport->take(), " ours");
  EXPECT_TRUE(response->ended);
  EXPECT_EQ(owner.closed, 1);
}

TEST_F(Http1ClientTunnelTest, AResetBehindTheirHalfCloseIsAFailure) {
  upgrade();
  transport->peer_sends(kSwitching);
  transport->peer_ends();
  transport->peer_resets();
  EXPECT_TRUE(response->failed);
}

TEST_F(Http1ClientTunnelTest, LettingGoOfATunnelThatIsOverLosesNothing) {
  for (const bool theirs_first : {true, false}) {
    SCOPED_TRACE(theirs_first);
    begin();
    upgrade();
    transport->peer_sends(kSwitching);
    transport->take();
    transport->window = 0;
    if (theirs_first) transport->peer_ends();
    stream->send_body("the last word", End::yes);
    if (!theirs_first) transport->peer_ends();
    EXPECT_TRUE(response->tunnel_ended);
    abort();
    EXPECT_FALSE(transport->dead());
    transport->window = SIZE_MAX;
    transport->request_flush();
    transport->turn();
    EXPECT_EQ(transport->take(), "the last word");
    EXPECT_TRUE(transport->dead());
    EXPECT_EQ(owner.closed, 1);
  }
}

// Before its 101 the upstream still reads HTTP: what the client sends too early would be the next request.
TEST_F(Http1ClientTunnelTest, NothingIsSentBeforeTheUpstreamAgrees) {
  upgrade();
  transport->take();
  stream->send_body("GET /admin HTTP/1.1\r\nHost: up\r\n\r\n", End::no);
  transport->turn();
  EXPECT_EQ(transport->take(), "");
  EXPECT_GT(stream->buffered(), 0u);
  transport->peer_sends(kSwitching);
  transport->turn();
  EXPECT_EQ(transport->take(), "GET /admin HTTP/1.1\r\nHost: up\r\n\r\n");

  begin();
  upgrade();
  transport->take();
  stream->send_body("GET /admin HTTP/1.1\r\nHost: up\r\n\r\n", End::yes);
  transport->peer_sends("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno");
  EXPECT_EQ(response->status, 403);
  EXPECT_EQ(response->body, "no");
  EXPECT_EQ(transport->take(), "");
  EXPECT_EQ(owner.closed, 1) << "an upgrade's connection carries nothing else";
}

TEST_F(Http1ClientTunnelTest, WhatTheUpstreamMaySwitchTo) {
  struct {
    const char* name;
    std::string bytes;
    bool opens;
  } const cases[] = {
      {"what was asked for", kSwitching, true},
      {"something else", "HTTP/1.1 101 Up\r\nUpgrade: h2c\r\n\r\n", false},
      {"it does not say", "HTTP/1.1 101 Up\r\n\r\n", false},
      {"nothing", "HTTP/1.1 101 Up\r\nUpgrade:\r\n\r\n", false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    upgrade();
    transport->peer_sends(c.bytes);
    EXPECT_EQ(response->status == 101, c.opens);
    EXPECT_EQ(response->failed, !c.opens);
    if (!c.opens) {
      EXPECT_EQ(response->failure.reason, Reason::bad_upgrade);
    }
  }
}

// After a switch nobody could say where the content ends, so there is no switch with content.
TEST_F(Http1ClientTunnelTest, ARequestWithContentIsNoUpgrade) {
  upgrade(5);
  stream->send_body("hello", End::yes);
  transport->turn();
  EXPECT_TRUE(transport->take().ends_with("content-length: 5\r\n\r\nhello"));
  transport->peer_sends(kSwitching);
  EXPECT_EQ(response->failure.reason, Reason::bad_upgrade);
}

TEST_F(Http1ClientTunnelTest, OurHalfCloseLeavesTheirsOpen) {
  upgrade();
  transport->peer_sends(kSwitching);
  stream->send_body("bye", End::yes);
  transport->turn();
  EXPECT_TRUE(transport->half_closed());
  transport->peer_sends("the last word");
  EXPECT_EQ(response->body, "the last word") << "only our half is closed";
  transport->peer_resets();
  EXPECT_TRUE(response->ended);
  EXPECT_FALSE(response->failed);

  begin();  // closed before it was open
  upgrade();
  stream->send_body("bye", End::yes);
  transport->peer_sends(kSwitching);
  EXPECT_TRUE(transport->half_closed());
  EXPECT_TRUE(transport->take().ends_with("bye"));
}

TEST_F(Http1ClientTunnelTest, ASenderThatWaitsForTheSwitchIsTold) {
  upgrade();
  stream->send_body(std::string(kHighWater + 1, 'x'), End::no);
  EXPECT_GT(stream->buffered(), kHighWater);
  transport->peer_sends(kSwitching);
  EXPECT_EQ(stream->buffered(), 0u);
  EXPECT_GE(response->drained, 1);
}

TEST_F(Http1ClientTunnelTest, AbortInsideEveryEvent) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  struct {
    const char* name;
    std::string bytes;
    std::function<void()> RecordedResponse::*hook;
    bool tunnel;
  } const cases[] = {
      {"on_informational", "HTTP/1.1 103 Early Hints\r\n\r\n" + ok, &RecordedResponse::informational_hook, false},
      {"on_response", ok, &RecordedResponse::head_hook, false},
      {"on_response with chunks", chunked, &RecordedResponse::head_hook, false},
      {"on_response of a tunnel", kSwitching + "early", &RecordedResponse::head_hook, true},
      {"on_body", ok, &RecordedResponse::body_hook, false},
      {"on_body with chunks", chunked, &RecordedResponse::body_hook, false},
      {"on_body until close", "HTTP/1.1 200 OK\r\n\r\nhello", &RecordedResponse::body_hook, false},
      {"on_body of a tunnel", kSwitching + "early", &RecordedResponse::body_hook, true},
  };
  for (const auto& c : cases) {
    for (const bool at_once : {true, false}) {
      SCOPED_TRACE(c.name);
      begin();
      response->*c.hook = [this] { abort(); };
      if (c.tunnel) {
        upgrade();
      } else {
        RequestHead head;
        head.method = "GET";
        head.target = "/";
        head.authority = "up";
        stream->send_head(head, End::yes);
        transport->turn();
      }
      if (at_once) {
        transport->peer_sends(c.bytes);
      } else {
        for (const char byte : c.bytes) transport->peer_sends(std::string(1, byte));
      }
      EXPECT_TRUE(response->abandoned);
      EXPECT_TRUE(transport->dead());
      EXPECT_EQ(owner.closed, 1);
      EXPECT_EQ(owner.available, 0);
      EXPECT_EQ(session->available(), 0u);
    }
  }
}

}  // namespace
}  // namespace gatehouse::http
