#include "http/h2_server.h"

#include <gtest/gtest.h>

#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(H2Server, ALengthThatDoesNotComeTrueIsNoCompleteAnswer) {
  TestServer server;
  server.start();
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(10), End::no);
  server.only().stream->send_body("short", End::yes);
  const auto frames = parse_frames(server.transport.flush());
  ASSERT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_TRUE(server.only().aborted);
}

// --- lifetime ---

TEST(H2Server, StreamsMayBeAbortedInsideTheirEvents) {
  TestServer server;
  server.start();
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead& head, End) {
    if (head.target == "/head") exchange.stream->abort();
    exchange.body_hook = [](ServerExchange& e, std::string_view) { e.stream->abort(); };
    exchange.end_hook = [](ServerExchange& e) { e.stream->abort(); };
  };
  auto frames = server.feed(headers(1, get("/head"), kEndHeaders) + data(1, "x", kEndStream));
  EXPECT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(server.sink.exchanges[0]->body, "");
  frames = server.feed(headers(3, post("/body"), kEndHeaders) + data(3, "x") + data(3, "y", kEndStream));
  EXPECT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 3), nullptr);
  EXPECT_EQ(server.sink.exchanges[1]->body, "x");
  EXPECT_FALSE(server.sink.exchanges[1]->ended);
  frames = server.feed(headers(5, post("/end"), kEndHeaders) + data(5, "", kEndStream));
  EXPECT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 5), nullptr);
  EXPECT_TRUE(server.sink.exchanges[2]->ended);
  for (const auto& exchange : server.sink.exchanges) {
    EXPECT_FALSE(exchange->aborted);
    EXPECT_FALSE(exchange->completed);
  }
}

TEST(H2Server, CompletionWaitsForTheKernel) {
  TestServer server;
  server.start();
  server.transport.blocked = true;
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(), End::yes);
  server.transport.flush();
  EXPECT_FALSE(server.only().completed);
  server.transport.blocked = false;
  server.transport.flush_wanted = true;
  server.transport.flush();
  EXPECT_TRUE(server.only().completed);
}

TEST(H2Server, ALostConnectionAbortsAllOnce) {
  TestServer server;
  server.start();
  server.feed(headers(1, get()) + headers(3, post(), kEndHeaders));
  server.transport.close_now();
  ASSERT_EQ(server.sink.exchanges.size(), 2u);
  for (const auto& exchange : server.sink.exchanges) {
    EXPECT_TRUE(exchange->aborted);
    EXPECT_EQ(exchange->reason, Reason::peer_closed);
  }
  EXPECT_TRUE(server.sink.refused.empty());
}

TEST(H2Server, APeersResetAborts) {
  TestServer server;
  server.start();
  server.feed(headers(1, post(), kEndHeaders) + data(1, "x") + rst_stream(1));
  EXPECT_TRUE(server.only().aborted);
  EXPECT_EQ(server.only().reason, Reason::peer_closed);
  EXPECT_FALSE(server.transport.closing);
}

// --- flow control ---

TEST(H2Server, PausedReadingClosesTheWindow) {
  H2ServerOptions options;
  options.stream_window_bytes = 64 * 1024;
  TestServer server(options);
  Nghttp2Peer client(false);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
    exchange.stream->pause_reading();
  };
  client.request(post(), std::string(300'000, 'x'), true);
  talk(server.transport, client);
  EXPECT_EQ(server.only().body.size(), 64u * 1024);
  server.only().stream->resume_reading();
  talk(server.transport, client);
  EXPECT_EQ(server.only().body.size(), 300'000u);
  EXPECT_TRUE(server.only().ended);
}

TEST(H2Server, LargeBodiesBothWaysInBoundedMemory) {
  constexpr std::size_t kBytes = 20 * 1024 * 1024;
  H2ServerOptions options;
  options.body_bytes = kBytes;
  TestServer server(options);
  Nghttp2Peer client(false);
  std::size_t got = 0, sent = 0;
  const std::string piece(64 * 1024, 'y');
  server.sink.request_hook = [&](ServerExchange& exchange, const RequestHead&, End) {
    exchange.body_hook = [&](ServerExchange& e, std::string_view bytes) {
      got += bytes.size();
      e.body.clear();
    };
  };
  client.request(post(), std::string(kBytes, 'x'), true);
  talk(server.transport, client);
  EXPECT_EQ(got, kBytes);
  ServerExchange& exchange = server.only();
  exchange.stream->send_head(ok(kBytes), End::no);
  std::size_t most = 0;
  while (sent < kBytes) {
    while (sent < kBytes && exchange.stream->buffered() < kHighWater) {
      sent += piece.size();
      exchange.stream->send_body(piece, sent == kBytes ? End::yes : End::no);
    }
    if (exchange.stream != nullptr) most = std::max(most, exchange.stream->buffered());
    exchange.drained = false;
    talk(server.transport, client);
    if (sent < kBytes) {
      ASSERT_TRUE(exchange.drained || exchange.stream->buffered() < kHighWater);
    }
  }
  talk(server.transport, client);
  EXPECT_EQ(client.streams[1].body.size(), kBytes);
  EXPECT_TRUE(exchange.completed);
  EXPECT_LE(most, kHighWater + piece.size());
  EXPECT_LE(server.transport.largest, 512u * 1024);
}

TEST(H2Server, ABlockedTransportStopsProduction) {
  TestServer server;
  Nghttp2Peer client(false, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1 << 30}});
  nghttp2_session_set_local_window_size(client.session, 0, 0, 1 << 30);
  client.request(get());
  talk(server.transport, client);
  server.transport.blocked = true;
  server.only().stream->send_head(ok(), End::no);
  const std::string piece(64 * 1024, 'z');
  for (int i = 0; i < 100; ++i) server.only().stream->send_body(piece, End::no);
  server.transport.flush();
  EXPECT_LE(server.transport.buffered(), 300u * 1024);
  EXPECT_GE(server.only().stream->buffered(), 6'000'000u);
  server.transport.blocked = false;
  server.transport.flush_wanted = true;
  talk(server.transport, client);
  EXPECT_EQ(client.streams[1].body.size(), 100 * piece.size());
}

TEST(H2Server, StreamsTakeTurns) {
  TestServer server;
  Nghttp2Peer client(false);
  client.request(get("/large"));
  client.request(get("/small"));
  talk(server.transport, client);
  ASSERT_EQ(server.sink.exchanges.size(), 2u);
  server.transport.blocked = true;
  server.sink.exchanges[0]->stream->send_head(ok(), End::no);
  server.sink.exchanges[0]->stream->send_body(std::string(7000, 'l'), End::no);
  for (int i = 0; i < 40; ++i) server.sink.exchanges[0]->stream->send_body(std::string(7000, 'l'), End::no);
  server.sink.exchanges[1]->stream->send_head(ok(), End::no);
  server.sink.exchanges[1]->stream->send_body("small", End::yes);
  server.transport.blocked = false;
  const auto frames = parse_frames(server.transport.flush());
  std::size_t large_before = 0;
  for (const RawFrame& f : frames) {
    if (f.type == NGHTTP2_DATA && f.id == 3) break;
    if (f.type == NGHTTP2_DATA) large_before += f.payload.size();
  }
  EXPECT_LE(large_before, 3u * 16384);
}

// --- the end ---

TEST(H2Server, DrainsInTwoSteps) {
  TestServer server;
  Nghttp2Peer client(false);
  client.request(get("/1"));
  talk(server.transport, client);
  server.session->drain();
  auto frames = parse_frames(server.transport.flush());
  const RawFrame* notice = find_frame(frames, NGHTTP2_GOAWAY);
  ASSERT_NE(notice, nullptr);
  EXPECT_EQ(notice->word(0), 0x7fffffffu);
  // A request that was under way is still served.
  server.session->on_data(headers(3, get("/2")));
  EXPECT_EQ(server.sink.exchanges.size(), 2u);
  server.transport.advance(2s);
  frames = parse_frames(server.transport.flush());
  const RawFrame* last = find_frame(frames, NGHTTP2_GOAWAY);
  ASSERT_NE(last, nullptr);
  EXPECT_EQ(last->word(0), 3u);
  EXPECT_FALSE(server.transport.closing);
  server.session->on_data(headers(5, get("/late")));
  EXPECT_EQ(server.sink.exchanges.size(), 2u);
  for (const auto& exchange : server.sink.exchanges) exchange->stream->send_head(ok(), End::yes);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closing);
  EXPECT_TRUE(server.sink.exchanges[0]->completed);
  EXPECT_TRUE(server.sink.exchanges[1]->completed);
}

TEST(H2Server, TheDrainPingsAnswerEndsTheNotice) {
  TestServer server;
  Nghttp2Peer client(false);
  talk(server.transport, client);
  server.session->drain();
  talk(server.transport, client);
  EXPECT_TRUE(server.transport.closing);
  EXPECT_FALSE(client.goaways.empty());
}

TEST(H2Server, CloseAfterServesWhatIsOpen) {
  TestServer server;
  server.start();
  server.feed(headers(1, get()));
  server.only().stream->close_after();
  auto frames = parse_frames(server.transport.flush());
  ASSERT_NE(find_frame(frames, NGHTTP2_GOAWAY), nullptr);
  EXPECT_EQ(find_frame(frames, NGHTTP2_GOAWAY)->word(0), 1u);
  EXPECT_FALSE(server.transport.closing);
  server.only().stream->send_head(ok(), End::yes);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closing);
}

TEST(H2Server, RequestsPerConnectionAreBounded) {
  H2ServerOptions options;
  options.requests_max = 3;
  TestServer server(options);
  server.start();
  for (std::uint32_t id = 1; id < 12; id += 2) server.feed(headers(id, get()));
  EXPECT_EQ(server.sink.exchanges.size(), 3u);
  for (const auto& exchange : server.sink.exchanges) exchange->stream->send_head(ok(), End::yes);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closing);
}

// --- every split of the input ---

}  // namespace
}  // namespace gatehouse::http
