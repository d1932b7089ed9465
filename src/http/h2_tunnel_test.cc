// Tunnels over HTTP/2: extended CONNECT (RFC 8441).

#include <gtest/gtest.h>

#include "http/h2_client.h"
#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(H2Tunnel, CarriesBytesBothWays) {
  TestServer server;
  server.start();
  server.feed(
      headers(1, with({{":protocol", "websocket"}}, replaced(get("/chat"), ":method", "CONNECT")), kEndHeaders));
  ServerExchange& exchange = server.only();
  ASSERT_FALSE(exchange.aborted);
  EXPECT_TRUE(exchange.stream->wants_tunnel());
  EXPECT_EQ(exchange.log.substr(0, 44), "CONNECT https shop.example /chat websocket -");
  ResponseHead switching;
  switching.status = 101;
  exchange.stream->open_tunnel(switching);
  exchange.stream->send_body("down", End::no);
  auto frames = server.feed(data(1, "up"));
  EXPECT_EQ(exchange.body, "up");
  ASSERT_NE(find_frame(frames, NGHTTP2_DATA, 1), nullptr);
  EXPECT_EQ(find_frame(frames, NGHTTP2_DATA, 1)->payload, "down");
  // Our half closes, theirs stays open.
  exchange.stream->send_body({}, End::yes);
  frames = parse_frames(server.transport.flush());
  EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM), nullptr);
  EXPECT_FALSE(exchange.completed);
  server.feed(data(1, "more", kEndStream));
  EXPECT_EQ(exchange.body, "upmore");
  EXPECT_TRUE(exchange.ended);
  EXPECT_TRUE(exchange.completed);
}

TEST(H2Tunnel, AnAbortTellsWhetherOurEndWasSaid) {
  for (const bool ended : {false, true}) {
    SCOPED_TRACE(ended);
    TestServer server;
    server.start();
    server.feed(
        headers(1, with({{":protocol", "websocket"}}, replaced(get("/chat"), ":method", "CONNECT")), kEndHeaders));
    ServerExchange& exchange = server.only();
    ResponseHead switching;
    switching.status = 101;
    exchange.stream->open_tunnel(switching);
    if (ended) exchange.stream->send_body("bye", End::yes);
    server.transport.flush();
    exchange.stream->abort();
    const auto frames = parse_frames(server.transport.flush());
    const RawFrame* reset = find_frame(frames, NGHTTP2_RST_STREAM, 1);
    ASSERT_NE(reset, nullptr);
    EXPECT_EQ(reset->word(0), ended ? NGHTTP2_NO_ERROR : NGHTTP2_CANCEL);
  }
}

// A tunnel to an upstream that has closed its half of it, and lets us send three bytes.
struct HalfClosedTunnel {
  HalfClosedTunnel() {
    transport.session = session.get();
    transport.flush();
    feed(settings(std::string("\0\x8\0\0\0\1\0\4\0\0\0\3", 12)));
    RequestHead head;
    head.method = "GET";
    head.scheme = "https";
    head.authority = "orders.internal";
    head.target = "/chat";
    head.protocol = "websocket";
    exchange.stream = &session->open(exchange);
    exchange.stream->send_head(head, End::no);
    transport.flush();
    feed(headers(1, {{":status", "200"}}, kEndHeaders) + data(1, "down", kEndStream));
  }
  std::vector<RawFrame> feed(std::string_view bytes) {
    session->on_data(bytes);
    return parse_frames(transport.flush());
  }

  FakeTransport transport;
  RecordingOwner owner;
  ClientExchange exchange;
  std::unique_ptr<ClientSession> session = make_h2_client(transport, owner, {});
};

TEST(H2Tunnel, AnUpstreamsHalfCloseLeavesOursOpen) {
  HalfClosedTunnel tunnel;
  EXPECT_EQ(tunnel.exchange.body, "down");
  EXPECT_TRUE(tunnel.exchange.tunnel_ended);
  tunnel.exchange.stream->send_body("on and ", End::no);
  tunnel.exchange.stream->send_body("on", End::yes);
  auto frames = parse_frames(tunnel.transport.flush());
  EXPECT_EQ(find_frame(frames, NGHTTP2_DATA, 1)->payload, "on ");
  EXPECT_FALSE(tunnel.exchange.ended) << "it is not out yet";
  frames = tunnel.feed(window_update(1, 100));
  EXPECT_EQ(find_frame(frames, NGHTTP2_DATA, 1)->payload, "and on");
  EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM), nullptr);
  EXPECT_TRUE(tunnel.exchange.ended);
  EXPECT_EQ(tunnel.session->active(), 0u);
}

TEST(H2Tunnel, WhatBothClosedStillSendsItsRest) {
  HalfClosedTunnel tunnel;
  tunnel.exchange.stream->send_body("the last word", End::yes);
  tunnel.transport.flush();
  tunnel.exchange.stream->abort();
  const auto frames = tunnel.feed(window_update(1, 100));
  EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM), nullptr);
  ASSERT_NE(find_frame(frames, NGHTTP2_DATA, 1), nullptr);
  EXPECT_EQ(find_frame(frames, NGHTTP2_DATA, 1)->payload, " last word");
  EXPECT_FALSE(tunnel.exchange.ended || tunnel.exchange.failed) << "it was let go of";
  EXPECT_EQ(tunnel.session->active(), 0u);
}

}  // namespace
}  // namespace gatehouse::http
