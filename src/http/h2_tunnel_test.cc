// Tunnels over HTTP/2: extended CONNECT (RFC 8441).

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace gatehouse::http
