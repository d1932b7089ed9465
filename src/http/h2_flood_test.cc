// Every flood reaches its bound, ends the connection with the reason, and holds little memory on the way; the same
// frames at the pace of an honest peer never do.

#include <gtest/gtest.h>

#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

std::uint32_t odd(int i) { return static_cast<std::uint32_t>(2 * i + 1); }

struct FloodCase {
  const char* name;
  std::string begin;                      // after the preface
  std::function<std::string(int)> round;  // sent again and again
  Reason reason;
  int bound;      // rounds that pass at once
  Duration pace;  // a round each: never a flood
};

std::vector<FloodCase> floods() {
  const H2FloodBounds b;
  const auto every = [](const FloodBound& bound) { return Duration(1s) / bound.per_second; };
  const std::string open_post = headers(1, post(), kEndHeaders);
  return {
      {"rapid reset", "", [](int i) { return headers(odd(i), get()) + rst_stream(odd(i)); }, Reason::h2_rapid_reset,
       static_cast<int>(b.resets.burst), every(b.resets)},
      {"reset after some of the body", "",
       [](int i) { return headers(odd(i), post(), kEndHeaders) + data(odd(i), "x") + rst_stream(odd(i)); },
       Reason::h2_rapid_reset, static_cast<int>(b.resets.burst), every(b.resets)},
      {"made you reset: window overflow", "",
       [](int i) { return headers(odd(i), post(), kEndHeaders) + window_update(odd(i), 0x7fffffff); },
       Reason::h2_provoked_reset, static_cast<int>(b.provoked_resets.burst), every(b.provoked_resets)},
      {"made you reset: malformed head", "",
       [](int i) {
         return headers(odd(i), with(get(), {{"A", "b"}}));
       },
       Reason::h2_provoked_reset, static_cast<int>(b.provoked_resets.burst), every(b.provoked_resets)},
      {"made you reset: length mismatch", "",
       [](int i) {
         return headers(odd(i), with(post(), {{"content-length", "9"}}), kEndHeaders) + data(odd(i), "x", kEndStream);
       },
       Reason::h2_provoked_reset, static_cast<int>(b.provoked_resets.burst), every(b.provoked_resets)},
      {"settings", "", [](int) { return settings(std::string("\0\4\0\1\0\0", 6)); }, Reason::h2_settings_flood,
       static_cast<int>(b.settings.burst) - 1, every(b.settings)},
      {"empty settings", "", [](int) { return settings(); }, Reason::h2_settings_flood,
       static_cast<int>(b.settings.burst) - 1, every(b.settings)},
      {"ping", "", [](int) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }, Reason::h2_ping_flood,
       static_cast<int>(b.pings.burst), every(b.pings)},
      {"ping answers nobody asked for", "", [](int) { return frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678"); },
       Reason::h2_ping_flood, static_cast<int>(b.pings.burst), every(b.pings)},
      {"empty data", open_post, [](int) { return data(1, ""); }, Reason::h2_empty_frame_flood,
       static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"data of padding only", open_post,
       [](int) { return frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x03\0\0\0", 4)); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"priority", "", [](int i) { return frame(NGHTTP2_PRIORITY, 0, odd(i), number(0) + "\x10"); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"unknown frames", "", [](int) { return frame(0xbe, 0, 0, "junk"); }, Reason::h2_empty_frame_flood,
       static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"priority updates", "", [](int) { return frame(0x10, 0, 0, number(1) + "u=1"); }, Reason::h2_empty_frame_flood,
       static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"resets of a closed stream", headers(1, get()) + rst_stream(1), [](int) { return rst_stream(1); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"heads of a closed stream", headers(1, get()) + rst_stream(1), [](int) { return headers(1, get()); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst), every(b.idle_frames)},
      {"data of a closed stream", headers(1, get()) + rst_stream(1), [](int) { return data(1, "x"); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst) - 1, every(b.idle_frames)},
      {"ends of a closed stream", headers(1, get()) + rst_stream(1), [](int) { return data(1, "", kEndStream); },
       Reason::h2_empty_frame_flood, static_cast<int>(b.idle_frames.burst) - 1, every(b.idle_frames)},
      {"window updates", "", [](int) { return window_update(0, 1); }, Reason::h2_window_flood,
       static_cast<int>(b.window_updates.burst), every(b.window_updates)},
      {"window updates of a stream", open_post, [](int) { return window_update(1, 1); }, Reason::h2_window_flood,
       static_cast<int>(b.window_updates.burst), every(b.window_updates)},
  };
}

TEST(H2Flood, EndsTheConnectionWithItsReason) {
  for (const FloodCase& c : floods()) {
    for (const bool one_by_one : {true, false}) {
      SCOPED_TRACE(std::string(c.name) + (one_by_one ? ", one by one" : ", in one piece"));
      TestServer server;
      server.start();
      server.feed(c.begin);
      std::vector<RawFrame> frames;
      int rounds = 0;
      if (one_by_one) {
        while (!server.transport.closing && rounds < 3000) frames = server.feed(c.round(rounds++));
        EXPECT_NEAR(rounds, c.bound + 1, 1);
      } else {
        std::string all;
        while (rounds < 3000) all += c.round(rounds++);
        frames = server.feed(all);
      }
      ASSERT_TRUE(server.transport.closing);
      EXPECT_EQ(reason_code(server.sink.refused.back()), reason_code(c.reason));
      const RawFrame* last = find_frame(frames, NGHTTP2_GOAWAY);
      ASSERT_NE(last, nullptr);
      EXPECT_EQ(last->word(4), static_cast<std::uint32_t>(NGHTTP2_ENHANCE_YOUR_CALM));
      EXPECT_LE(server.transport.largest, 64u * 1024);
      for (const auto& exchange : server.sink.exchanges) EXPECT_TRUE(exchange->aborted);
      EXPECT_LE(server.sink.exchanges.size(), 300u);
      // What still comes is not looked at.
      server.session->on_data(headers(99999, get()));
    }
  }
}

TEST(H2Flood, AnHonestPaceIsNone) {
  for (const FloodCase& c : floods()) {
    SCOPED_TRACE(c.name);
    H2ServerOptions options;
    options.idle_timeout = 1h;
    options.body_min_rate = 0;
    options.requests_max = 1'000'000;
    TestServer server(options);
    server.start();
    server.feed(c.begin);
    for (int i = 0; i < 3000 && !server.transport.closing; ++i) {
      server.feed(c.round(i));
      server.transport.clock.advance(c.pace + 1us);
    }
    EXPECT_FALSE(server.transport.closing);
    for (const Reason reason : server.sink.refused)
      EXPECT_EQ(reason_code(reason).find("flood"), std::string_view::npos);
  }
}

TEST(H2Flood, AnswersTakenForgiveResets) {
  TestServer server;
  server.start();
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead& head, End) {
    if (head.target == "/taken") exchange.stream->send_head(ok(), End::yes);
  };
  for (int i = 0; i < 2000; ++i) {
    server.feed(headers(odd(2 * i), get("/taken")));
    server.feed(headers(odd(2 * i + 1), get("/given-up")) + rst_stream(odd(2 * i + 1)));
    ASSERT_FALSE(server.transport.closing) << i;
  }
}

TEST(H2Flood, Continuations) {
  for (const bool empty : {true, false}) {
    SCOPED_TRACE(empty);
    TestServer server;
    server.start();
    std::string input = frame(NGHTTP2_HEADERS, kEndStream, 1, hpack(get()));
    for (int i = 0; i < 16; ++i) {
      input += frame(NGHTTP2_CONTINUATION, 0, 1, empty ? "" : hpack({{"x" + std::to_string(i), "v"}}));
    }
    server.feed(input);
    EXPECT_FALSE(server.transport.closing);  // sixteen are many, and allowed
    const auto frames = server.feed(frame(NGHTTP2_CONTINUATION, 0, 1, ""));
    EXPECT_TRUE(server.transport.closing);
    ASSERT_EQ(server.sink.refused.size(), 1u);
    EXPECT_EQ(server.sink.refused[0], Reason::h2_continuation_flood);
    EXPECT_NE(find_frame(frames, NGHTTP2_GOAWAY), nullptr);
  }
}

TEST(H2Flood, ContinuationsOfABlockThatIsIgnored) {
  TestServer server;
  server.start();
  // A stream that nghttp2 refuses by itself: its block is skipped, and our callback hears nothing of it.
  std::string input;
  for (int i = 0; i <= 100; ++i) input += headers(odd(i), post(), kEndHeaders);
  server.feed(input);
  input = frame(NGHTTP2_HEADERS, 0, 999, hpack(get()));
  for (int i = 0; i < 1000; ++i) input += frame(NGHTTP2_CONTINUATION, 0, 999, "");
  server.feed(input);
  EXPECT_TRUE(server.transport.closing);
  EXPECT_EQ(server.sink.refused.back(), Reason::h2_continuation_flood);
}

TEST(H2Flood, StreamsBeyondTheBoundAreRefused) {
  TestServer server;
  server.start();
  std::string input;
  for (int i = 0; i < 150; ++i) input += headers(odd(i), get());
  const auto frames = server.feed(input);
  EXPECT_EQ(server.sink.exchanges.size(), 100u);
  const RawFrame* reset = find_frame(frames, NGHTTP2_RST_STREAM, odd(100));
  ASSERT_NE(reset, nullptr);
  EXPECT_EQ(reset->word(0), static_cast<std::uint32_t>(NGHTTP2_REFUSED_STREAM));
  EXPECT_FALSE(server.transport.closing);
  input.clear();
  for (int i = 150; i < 400; ++i) input += headers(odd(i), get());
  server.feed(input);
  EXPECT_TRUE(server.transport.closing);
  EXPECT_EQ(server.sink.refused.back(), Reason::h2_provoked_reset);
}

// A 3,000-byte value goes into the table once; then one byte of input is 3,000 of output.
TEST(H2Flood, HpackExpansion) {
  TestServer server;
  server.start();
  std::string block = hpack(get());
  block += std::string("\x40\x01x\x7f", 4);  // literal with indexing, name "x"
  std::size_t rest = 3000 - 127;
  for (; rest >= 128; rest /= 128) block.push_back(static_cast<char>(rest % 128 + 128));
  block.push_back(static_cast<char>(rest));
  block += std::string(3000, 'a');
  std::string few = block + std::string(20, '\xbe');  // 62: the newest entry
  auto frames = server.feed(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, few));
  ASSERT_EQ(server.sink.refused.size(), 1u);
  EXPECT_EQ(server.sink.refused[0], Reason::header_too_large);  // a bound of the message: 431
  EXPECT_FALSE(server.transport.closing);
  frames = server.feed(frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 3, hpack(get()) + std::string(10000, '\xbe')));
  EXPECT_TRUE(server.transport.closing);
  EXPECT_EQ(server.sink.refused.back(), Reason::h2_hpack_expansion);
  ASSERT_NE(find_frame(frames, NGHTTP2_GOAWAY), nullptr);
}

TEST(H2Flood, DataBeyondTheStreamsWindowIsAProvokedReset) {
  H2ServerOptions options;
  options.flood.provoked_resets = {3, 1};
  TestServer server(options);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
    exchange.stream->pause_reading();
  };
  server.start();
  for (int i = 0; i < 4; ++i) {
    EXPECT_FALSE(server.transport.closing);
    std::string input = headers(odd(i), post(), kEndHeaders);
    for (int j = 0; j < 20; ++j) input += data(odd(i), std::string(16384, 'x'));
    server.feed(input);
    EXPECT_TRUE(server.sink.last().aborted);
  }
  EXPECT_TRUE(server.transport.closing);
  EXPECT_EQ(server.sink.refused.back(), Reason::h2_provoked_reset);
}

// --- peers that don't read ---

TEST(H2Flood, AStreamWhoseWindowStaysShutIsCut) {
  TestServer server;
  server.feed(std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) +
              settings(std::string("\0\4\0\0\0\0", 6)));  // initial window: zero
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(), End::no);
  server.only().stream->send_body("waiting", End::yes);
  server.transport.flush();
  server.transport.advance(50s);
  server.transport.flush();
  EXPECT_FALSE(server.only().aborted);
  server.transport.advance(20s);
  const auto frames = parse_frames(server.transport.flush());
  EXPECT_TRUE(server.only().aborted);
  EXPECT_EQ(server.only().reason, Reason::body_too_slow);
  EXPECT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_FALSE(server.transport.closing);
}

TEST(H2Flood, AWindowThatOpensByteByByteIsCutToo) {
  TestServer server;
  server.feed(std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) + settings(std::string("\0\4\0\0\0\0", 6)));
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(), End::no);
  server.only().stream->send_body(std::string(5000, 'x'), End::no);
  for (int i = 0; i < 120 && !server.only().aborted; ++i) {
    server.feed(window_update(1, 1));
    server.transport.advance(1s);
  }
  EXPECT_TRUE(server.only().aborted);
  EXPECT_EQ(server.only().reason, Reason::body_too_slow);
}

TEST(H2Flood, ManyShutWindowsEndTheConnection) {
  TestServer server;
  server.feed(std::string(NGHTTP2_CLIENT_MAGIC, NGHTTP2_CLIENT_MAGIC_LEN) + settings(std::string("\0\4\0\0\0\0", 6)));
  for (int i = 0; i < 50; ++i) server.feed(headers(odd(i), get()));
  for (const auto& exchange : server.sink.exchanges) {
    exchange->stream->send_head(ok(), End::no);
    exchange->stream->send_body("waiting", End::yes);
  }
  server.transport.flush();
  server.transport.advance(70s);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closing);
  ASSERT_FALSE(server.sink.refused.empty());
  EXPECT_EQ(server.sink.refused.back(), Reason::h2_window_flood);
  for (const auto& exchange : server.sink.exchanges) EXPECT_TRUE(exchange->aborted);
}

TEST(H2Flood, ATransportThatTakesNothingIsClosed) {
  TestServer server;
  server.start();
  server.transport.blocked = true;
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(), End::yes);
  server.transport.flush();
  server.transport.advance(50s);
  EXPECT_FALSE(server.transport.closed);
  server.transport.advance(70s);
  EXPECT_TRUE(server.transport.closed);
  EXPECT_TRUE(server.only().aborted);
}

TEST(H2Flood, AcknowledgementsThatNobodyReadsAreBounded) {
  TestServer server;
  server.start();
  server.transport.blocked = true;
  int sent = 0;
  for (; sent < 100'000 && !server.transport.closing && !server.transport.closed; ++sent) {
    server.feed(frame(NGHTTP2_PING, 0, 0, "12345678"));
    server.transport.advance(51ms);
  }
  EXPECT_TRUE(server.transport.closing || server.transport.closed);
  EXPECT_LE(server.transport.largest, 200u * 1024);
}

// --- slow peers ---

TEST(H2Flood, AHeaderBlockThatTricklesIsTimedOut) {
  TestServer server;
  server.start();
  const std::string whole = headers(1, get());
  server.feed(whole.substr(0, 12));
  for (int i = 0; i < 9; ++i) {
    server.transport.advance(1s);
    server.feed(whole.substr(12 + static_cast<std::size_t>(i), 1));
    EXPECT_FALSE(server.transport.closing);
  }
  server.transport.advance(2s);
  server.transport.flush();
  EXPECT_TRUE(server.transport.closing);
  ASSERT_EQ(server.sink.refused.size(), 1u);
  EXPECT_EQ(server.sink.refused[0], Reason::header_timeout);
}

TEST(H2Flood, ASlowBodyIsAnswered408) {
  TestServer server;
  Nghttp2Peer client(false);
  const std::int32_t id = client.request(post(), "ab", true);
  client.streams[id].out_end = false;
  talk(server.transport, client);
  server.transport.advance(11s);
  talk(server.transport, client);
  EXPECT_TRUE(server.only().aborted);
  EXPECT_EQ(server.only().reason, Reason::body_too_slow);
  EXPECT_EQ(client.streams[id].fields[":status"], "408");
}

struct PatienceCase {
  const char* name;
  FieldList fields;
  bool pause;
  bool patient;
};

TEST(H2Flood, WhoMayBeSlow) {
  const PatienceCase cases[] = {
      {"plain upload", post(), false, false},
      {"gRPC", with(post(), {{"content-type", "application/grpc+proto"}}), false, true},
      {"tunnel", with({{":protocol", "websocket"}}, replaced(get(), ":method", "CONNECT")), false, true},
      {"paused by us", post(), true, true},
      {"waiting for 100", with(post(), {{"expect", "100-continue"}}), false, true},
  };
  for (const PatienceCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestServer server;
    server.sink.request_hook = [&](ServerExchange& exchange, const RequestHead&, End) {
      if (c.pause) exchange.stream->pause_reading();
    };
    server.start();
    server.feed(headers(1, c.fields, kEndHeaders));
    server.transport.advance(30s);
    server.transport.flush();
    EXPECT_EQ(server.only().aborted, !c.patient);
  }
}

struct IdleCase {
  const char* name;
  std::string input;
  Duration after;  // closed then, not five seconds earlier
  Reason reason;   // none: closed quietly
};

TEST(H2Flood, IdleConnectionsAreClosed) {
  const IdleCase cases[] = {
      {"never a word", "", 10s, Reason::none},
      {"half a preface", preface().substr(0, 10), 10s, Reason::header_timeout},
      {"preface without settings", preface().substr(0, 24), 10s, Reason::header_timeout},
      {"preface only", preface(), 60s, Reason::none},
      {"after a request", preface() + headers(1, get()) + rst_stream(1), 60s, Reason::none},
  };
  for (const IdleCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestServer server;
    server.transport.flush();
    server.feed(c.input);
    server.transport.advance(c.after - 5s);
    server.feed("");
    EXPECT_FALSE(server.transport.closing);
    server.transport.advance(11s);
    server.transport.flush();
    EXPECT_TRUE(server.transport.closing);
    EXPECT_EQ(server.sink.refused, c.reason == Reason::none ? std::vector<Reason>{} : std::vector<Reason>{c.reason});
  }
}

// --- broken framing is nghttp2's to find, and ours to report ---

struct BrokenCase {
  const char* name;
  std::string input;
};

TEST(H2Flood, ConnectionErrorsAreReported) {
  const BrokenCase cases[] = {
      {"no preface", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"},
      {"data on stream 0", preface() + data(0, "x")},
      {"data on an idle stream", preface() + data(1, "x")},
      {"even stream", preface() + headers(2, get())},
      {"stream ids going back", preface() + headers(5, post(), kEndHeaders) + headers(5, get()) + data(5, "x")},
      {"frame too large", preface() + frame(NGHTTP2_DATA, 0, 1, std::string(20000, 'x'))},
      {"continuation alone", preface() + frame(NGHTTP2_CONTINUATION, kEndHeaders, 1, "")},
      {"data inside a block", preface() + frame(NGHTTP2_HEADERS, 0, 1, hpack(get())) + data(1, "x")},
      {"bad hpack index", preface() + frame(NGHTTP2_HEADERS, kEndStream | kEndHeaders, 1, "\xff\xff\xff\x0f")},
      {"window update of zero", preface() + window_update(0, 0)},
      {"connection window overflow", preface() + window_update(0, 0x7fffffff)},
      {"push promise", preface() + frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, number(2))},
      {"settings of five bytes", preface() + settings("abcde")},
      {"ping of seven bytes", preface() + frame(NGHTTP2_PING, 0, 0, "1234567")},
  };
  for (const BrokenCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestServer server;
    server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
      exchange.stream->pause_reading();
    };
    server.transport.flush();
    server.feed(c.input);
    EXPECT_TRUE(server.transport.closing);
    ASSERT_EQ(server.sink.refused.size(), 1u);
    EXPECT_EQ(server.sink.refused[0], Reason::h2_protocol_error);
    for (const auto& exchange : server.sink.exchanges) EXPECT_TRUE(exchange->aborted);
  }
}

}  // namespace
}  // namespace gatehouse::http
