// A client that closes its sending half (docs/decisions/0006).

#include <gtest/gtest.h>

#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

struct HalfClosed : TestServer {
  HalfClosed() {
    start();
    feed(headers(1, get()) + headers(3, get()) + headers(5, post(), kEndHeaders));
    session->on_eof();
    transport.flush();
    transport.advance(10ms);
  }
  ServerExchange& at(std::size_t i) { return *sink.exchanges[i]; }
};

ResponseHead ok() {
  ResponseHead head;
  head.status = 200;
  return head;
}

TEST(H2HalfClosed, WhatWasAskedInFullHasASecondForItsAnswer) {
  HalfClosed server;
  EXPECT_FALSE(server.at(0).aborted);
  EXPECT_FALSE(server.at(1).aborted);
  EXPECT_TRUE(server.at(2).aborted) << "its request will never be complete";
  EXPECT_EQ(server.at(2).reason, Reason::truncated);
  server.at(0).stream->send_head(ok(), End::no);
  const auto frames = parse_frames(server.transport.flush());
  EXPECT_NE(find_frame(frames, NGHTTP2_HEADERS, 1), nullptr);
  server.transport.advance(1100ms);
  EXPECT_FALSE(server.at(0).aborted) << "its answer has begun";
  EXPECT_TRUE(server.at(1).aborted);
  EXPECT_EQ(server.at(1).reason, Reason::peer_closed);
  EXPECT_FALSE(server.transport.closed || server.transport.closing);
  server.at(0).stream->send_body("done", End::yes);
  server.transport.flush();
  EXPECT_TRUE(server.at(0).completed);
  EXPECT_TRUE(server.transport.closed || server.transport.closing);
}

TEST(H2HalfClosed, WithoutRequestsItIsGone) {
  TestServer server;
  server.start();
  server.session->on_eof();
  EXPECT_TRUE(server.transport.closed);
}

TEST(H2HalfClosed, TunnelsEndWithIt) {
  TestServer server;
  server.start();
  server.feed(
      headers(1, with({{":protocol", "websocket"}}, replaced(get("/chat"), ":method", "CONNECT")), kEndHeaders));
  ResponseHead switching;
  switching.status = 101;
  server.only().stream->open_tunnel(switching);
  server.transport.flush();
  server.session->on_eof();
  server.transport.flush();
  server.transport.advance(10ms);
  EXPECT_TRUE(server.only().aborted);
  EXPECT_EQ(server.only().reason, Reason::peer_closed);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closed || server.transport.closing);
}

}  // namespace
}  // namespace gatehouse::http
