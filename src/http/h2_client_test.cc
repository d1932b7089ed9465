#include "http/h2_client.h"

#include <gtest/gtest.h>

#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class TestClient {
 public:
  explicit TestClient(const H2ClientOptions& options = {}) {
    session = make_h2_client(transport, owner, options);
    transport.session = session.get();
  }
  std::vector<RawFrame> feed(std::string_view bytes) {
    if (!transport.closed && !transport.closing) session->on_data(bytes);
    return parse_frames(transport.flush());
  }
  std::vector<RawFrame> start() {
    transport.flush();
    return feed(settings());
  }
  // Opens a stream; the exchange lives as long as this.
  ClientExchange& send(const RequestHead& head, End end = End::yes) {
    auto& exchange = exchanges.emplace_back(std::make_unique<ClientExchange>());
    ClientStream& stream = session->open(*exchange);
    exchange->stream = &stream;
    stream.send_head(head, end);
    return *exchange;
  }
  // A GET whose frames have left: stream `id`.
  ClientExchange& get_sent(std::string_view method = "GET") {
    ClientExchange& exchange = send(request(method));
    transport.flush();
    return exchange;
  }
  static RequestHead request(std::string_view method = "GET", std::string_view target = "/") {
    RequestHead head;
    head.method = method;
    head.scheme = "https";
    head.authority = "orders.internal";
    head.target = target;
    head.version = Version::http2;
    return head;
  }

  FakeTransport transport;
  RecordingOwner owner;
  std::unique_ptr<ClientSession> session;
  std::vector<std::unique_ptr<ClientExchange>> exchanges;
};

TEST(H2Client, BeginsWithPrefaceAndRefusesPush) {
  TestClient client;
  const std::string out = client.transport.flush();
  ASSERT_EQ(out.substr(0, NGHTTP2_CLIENT_MAGIC_LEN), NGHTTP2_CLIENT_MAGIC);
  const auto frames = parse_frames(std::string_view(out).substr(NGHTTP2_CLIENT_MAGIC_LEN));
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames[0].type, NGHTTP2_SETTINGS);
  EXPECT_NE(frames[0].payload.find(std::string("\0\2\0\0\0\0", 6)), std::string::npos);
}

TEST(H2Client, ExchangesWithNghttp2) {
  TestClient client;
  Nghttp2Peer server(true);
  server.on_request = [&](std::int32_t id) {
    nghttp2_nv early{reinterpret_cast<uint8_t*>(const_cast<char*>(":status")),
                     reinterpret_cast<uint8_t*>(const_cast<char*>("103")), 7, 3, 0};
    nghttp2_submit_headers(server.session, 0, id, nullptr, &early, 1, nullptr);
    server.send_trailers = {{"grpc-status", "0"}};
    server.respond(id, {{":status", "200"}, {"content-type", "application/grpc"}}, "answer", true);
  };
  RequestHead head = TestClient::request("POST", "/svc/Method?x");
  head.fields.add("content-type", "application/grpc");
  head.fields.add("te", "trailers");
  head.fields.add("connection", "close");
  head.fields.add("host", "other");
  head.content_length = 12;
  head.fields.add("authorization", "Bearer abc");
  ClientExchange& exchange = client.send(head, End::no);
  exchange.stream->send_body("hello ", End::no);
  exchange.stream->send_body("client", End::yes);
  talk(client.transport, server);
  PeerStream& seen = server.streams[1];
  EXPECT_EQ(seen.fields[":method"], "POST");
  EXPECT_EQ(seen.fields[":scheme"], "https");
  EXPECT_EQ(seen.fields[":authority"], "orders.internal");
  EXPECT_EQ(seen.fields[":path"], "/svc/Method?x");
  EXPECT_EQ(seen.fields["te"], "trailers");
  EXPECT_EQ(seen.fields["content-length"], "12");
  EXPECT_EQ(seen.fields.count("connection"), 0u);
  EXPECT_EQ(seen.fields.count("host"), 0u);
  EXPECT_EQ(seen.fields["authorization"], "Bearer abc");
  EXPECT_EQ(seen.body, "hello client");
  EXPECT_EQ(exchange.informational, "103;");
  EXPECT_EQ(exchange.status, 200);
  EXPECT_EQ(exchange.body, "answer");
  EXPECT_EQ(exchange.trailers, "grpc-status=0;");
  EXPECT_TRUE(exchange.ended);
  EXPECT_EQ(client.session->active(), 0u);
  EXPECT_GE(client.owner.available, 1);
  EXPECT_TRUE(server.invalid.empty());
}

TEST(H2Client, RequestTrailers) {
  TestClient client;
  Nghttp2Peer server(true);
  ClientExchange& exchange = client.send(TestClient::request("POST"), End::no);
  exchange.stream->send_body("x", End::no);
  Fields trailers;
  trailers.add("x-sum", "1");
  exchange.stream->send_trailers(trailers);
  talk(client.transport, server);
  EXPECT_TRUE(server.streams[1].ended);
  EXPECT_EQ(server.streams[1].fields["x-sum"], "1");
}

TEST(H2Client, ManyAtOnceInAnyOrder) {
  TestClient client;
  Nghttp2Peer server(true);
  for (int i = 0; i < 50; ++i) client.send(TestClient::request("GET", "/" + std::to_string(i)));
  talk(client.transport, server);
  for (int i = 49; i >= 0; --i) {
    const std::int32_t id = 2 * i + 1;
    server.respond(id, {{":status", "200"}}, server.streams[id].fields[":path"], true);
  }
  talk(client.transport, server);
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.exchanges[static_cast<std::size_t>(i)]->body, "/" + std::to_string(i));
}

TEST(H2Client, RespectsThePeersBoundOnStreams) {
  TestClient client;
  Nghttp2Peer server(true, {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 3}});
  EXPECT_EQ(client.session->available(), 100u);
  talk(client.transport, server);
  EXPECT_EQ(client.session->available(), 3u);
  EXPECT_EQ(client.owner.available, 1);  // there may be room for more
  for (int i = 0; i < 3; ++i) client.send(TestClient::request());
  EXPECT_EQ(client.session->available(), 0u);
  talk(client.transport, server);
  server.respond(1, {{":status", "204"}});
  talk(client.transport, server);
  EXPECT_EQ(client.session->available(), 1u);
  EXPECT_EQ(client.owner.available, 2);
}

// --- what a response must look like ---

struct ResponseCase {
  const char* name;
  std::string frames;  // on stream 1, answering a GET
  Reason reason;       // none: accepted
  const char* method = "GET";
};

TEST(H2Client, JudgesResponses) {
  const auto head = [](const FieldList& fields, std::uint8_t flags = kEndHeaders) { return headers(1, fields, flags); };
  const FieldList ok200{{":status", "200"}};
  const std::uint8_t both = kEndStream | kEndHeaders;
  const ResponseCase cases[] = {
      {"head only", head(ok200, both), Reason::none},
      {"body", head(ok200) + data(1, "abc", kEndStream), Reason::none},
      {"length", head(with(ok200, {{"content-length", "3"}})) + data(1, "abc", kEndStream), Reason::none},
      {"trailers", head(ok200) + data(1, "abc") + head({{"x", "y"}}, both), Reason::none},
      {"interim first", head({{":status", "100"}}) + head({{":status", "103"}}) + head(ok200, both), Reason::none},
      {"HEAD with a length", head(with(ok200, {{"content-length", "3"}}), both), Reason::none, "HEAD"},
      {"HEAD, end apart", head(with(ok200, {{"content-length", "3"}})) + data(1, "", kEndStream), Reason::none, "HEAD"},
      {"304 with a length", head({{":status", "304"}, {"content-length", "3"}}, both), Reason::none},
      {"204 with a zero length", head({{":status", "204"}, {"content-length", "0"}}, both), Reason::none},

      {"no status", head({{"x", "y"}}, both), Reason::h2_bad_pseudo_header},
      {"two status", head({{":status", "200"}, {":status", "200"}}, both), Reason::h2_bad_pseudo_header},
      {"status of two digits", head({{":status", "20"}}, both), Reason::h2_bad_pseudo_header},
      {"status of letters", head({{":status", "abc"}}, both), Reason::h2_bad_pseudo_header},
      {"status 600", head({{":status", "600"}}, both), Reason::h2_bad_pseudo_header},
      {"status 099", head({{":status", "099"}}, both), Reason::h2_bad_pseudo_header},
      {"path in a response", head({{":status", "200"}, {":path", "/"}}, both), Reason::h2_bad_pseudo_header},
      {"misplaced status", head({{"x", "y"}, {":status", "200"}}, both), Reason::h2_bad_pseudo_header},
      {"101", head({{":status", "101"}}), Reason::h2_protocol_error},
      {"interim that ends", head({{":status", "100"}}, both), Reason::h2_protocol_error},
      {"upper case", head({{":status", "200"}, {"X-A", "y"}}, both), Reason::h2_uppercase_name},
      {"connection", head({{":status", "200"}, {"connection", "close"}}, both), Reason::h2_connection_header},
      {"transfer-encoding", head({{":status", "200"}, {"transfer-encoding", "chunked"}}, both),
       Reason::h2_connection_header},
      {"crlf in a value", head({{":status", "200"}, {"location", "/\r\nset-cookie: a=b"}}, both), Reason::control_byte},
      {"nul in a value", head({{":status", "200"}, {"x", std::string("\0", 1)}}, both), Reason::control_byte},
      {"two lengths", head({{":status", "200"}, {"content-length", "3"}, {"content-length", "3"}}),
       Reason::duplicate_content_length},
      {"bad length", head({{":status", "200"}, {"content-length", "-3"}}), Reason::bad_content_length},
      {"204 with a length", head({{":status", "204"}, {"content-length", "3"}}, both), Reason::bad_content_length},
      {"too short", head(with(ok200, {{"content-length", "3"}})) + data(1, "ab", kEndStream),
       Reason::content_length_mismatch},
      {"too long", head(with(ok200, {{"content-length", "3"}})) + data(1, "abcd"), Reason::content_length_mismatch},
      {"length and nothing", head(with(ok200, {{"content-length", "3"}}), both), Reason::content_length_mismatch},
      {"HEAD with data", head(ok200) + data(1, "abc", kEndStream), Reason::content_length_mismatch, "HEAD"},
      {"204 with data", head({{":status", "204"}}) + data(1, "abc", kEndStream), Reason::content_length_mismatch},
      {"data before the final head", head({{":status", "100"}}) + data(1, "abc"), Reason::h2_protocol_error},
      {"end before the final head", head({{":status", "100"}}) + data(1, "", kEndStream), Reason::h2_protocol_error},
      {"second final head", head(ok200) + head(ok200), Reason::h2_protocol_error},
      {"pseudo in trailers", head(ok200) + head({{":status", "200"}}, both), Reason::bad_trailer},
      {"length in trailers", head(ok200) + head({{"content-length", "0"}}, both), Reason::bad_trailer},
  };
  for (const ResponseCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestClient client;
    client.start();
    ClientExchange& exchange = client.get_sent(c.method);
    const auto frames = client.feed(c.frames);
    if (c.reason == Reason::none) {
      EXPECT_FALSE(exchange.failed);
      EXPECT_NE(exchange.status, 0);
    } else {
      EXPECT_TRUE(exchange.failed);
      EXPECT_FALSE(exchange.ended);
      EXPECT_EQ(exchange.failure.kind, FailureKind::bad_response);
      EXPECT_EQ(reason_code(exchange.failure.reason), reason_code(c.reason));
      EXPECT_EQ(exchange.failure.response_begun, exchange.status != 0);
      EXPECT_FALSE(exchange.failure.request_unseen);
    }
    // The connection is still good for others.
    EXPECT_FALSE(client.transport.closing);
    ClientExchange& other = client.get_sent();
    client.feed(headers(3, ok200));
    EXPECT_TRUE(other.ended);
  }
}

TEST(H2Client, ResponseHeadsAreBounded) {
  H2ClientOptions options;
  options.header_bytes = 2048;
  TestClient client(options);
  client.start();
  ClientExchange& exchange = client.get_sent();
  client.feed(headers(1, {{":status", "200"}, {"x", std::string(3000, 'a')}}));
  EXPECT_EQ(exchange.failure.kind, FailureKind::bad_response);
  EXPECT_EQ(exchange.failure.reason, Reason::header_too_large);
}

TEST(H2Client, InterimResponsesAreBounded) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.get_sent();
  for (int i = 0; i < 30 && !exchange.failed; ++i) client.feed(headers(1, {{":status", "103"}}, kEndHeaders));
  EXPECT_TRUE(exchange.failed);
  EXPECT_EQ(exchange.failure.kind, FailureKind::bad_response);
}

// --- failures and what they allow ---

TEST(H2Client, RefusedStreamsWereNotSeen) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.get_sent("POST");
  client.feed(rst_stream(1, NGHTTP2_REFUSED_STREAM));
  EXPECT_TRUE(exchange.failed);
  EXPECT_EQ(exchange.failure.kind, FailureKind::refused_stream);
  EXPECT_TRUE(exchange.failure.request_unseen);
}

TEST(H2Client, ARefusalAfterAResponseBeganIsAReset) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.get_sent();
  client.feed(headers(1, {{":status", "200"}}, kEndHeaders) + rst_stream(1, NGHTTP2_REFUSED_STREAM));
  EXPECT_EQ(exchange.failure.kind, FailureKind::reset);
  EXPECT_TRUE(exchange.failure.response_begun);
  EXPECT_FALSE(exchange.failure.request_unseen);
}

TEST(H2Client, GoawayTellsWhichWereSeen) {
  TestClient client;
  client.start();
  for (int i = 0; i < 3; ++i) client.get_sent();
  client.feed(goaway(3));
  EXPECT_EQ(client.session->available(), 0u);
  EXPECT_FALSE(client.exchanges[0]->failed);
  EXPECT_FALSE(client.exchanges[1]->failed);
  EXPECT_TRUE(client.exchanges[2]->failed);
  EXPECT_EQ(client.exchanges[2]->failure.kind, FailureKind::refused_stream);
  EXPECT_TRUE(client.exchanges[2]->failure.request_unseen);
  EXPECT_EQ(client.owner.closed, 0);
  client.feed(headers(1, {{":status", "200"}}) + headers(3, {{":status", "200"}}));
  EXPECT_TRUE(client.exchanges[0]->ended);
  EXPECT_TRUE(client.exchanges[1]->ended);
  EXPECT_TRUE(client.transport.closing);
  EXPECT_EQ(client.owner.closed, 1);
}

TEST(H2Client, ALostConnectionTellsWhatWasSent) {
  TestClient client;
  client.start();
  client.get_sent();
  client.send(TestClient::request());  // not flushed
  client.transport.close_now();
  EXPECT_EQ(client.exchanges[0]->failure.kind, FailureKind::reset);
  EXPECT_FALSE(client.exchanges[0]->failure.request_unseen);
  EXPECT_TRUE(client.exchanges[1]->failure.request_unseen);
  EXPECT_EQ(client.owner.closed, 1);
  EXPECT_EQ(client.session->available(), 0u);
}

TEST(H2Client, AFailedConnectWasNotSeen) {
  TestClient client;
  client.send(TestClient::request());
  client.transport.failure_kind = FailureKind::connect;
  client.transport.close_now();
  EXPECT_EQ(client.exchanges[0]->failure.kind, FailureKind::connect);
  EXPECT_TRUE(client.exchanges[0]->failure.request_unseen);
}

TEST(H2Client, AResponseMayPrecedeTheEndOfTheRequest) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.send(TestClient::request("POST"), End::no);
  exchange.stream->send_body("begun", End::no);
  client.transport.flush();
  const auto frames = client.feed(headers(1, {{":status", "413"}}) + rst_stream(1, NGHTTP2_NO_ERROR));
  EXPECT_TRUE(exchange.ended);
  EXPECT_FALSE(exchange.failed);
  EXPECT_EQ(client.session->active(), 0u);
}

TEST(H2Client, AbortResetsTheStreamAlone) {
  TestClient client;
  client.start();
  client.get_sent();
  client.get_sent();
  client.exchanges[0]->stream->abort();
  const auto frames = parse_frames(client.transport.flush());
  ASSERT_NE(find_frame(frames, NGHTTP2_RST_STREAM, 1), nullptr);
  EXPECT_EQ(client.session->active(), 1u);
  client.feed(headers(1, {{":status", "200"}}) + headers(3, {{":status", "200"}}));
  EXPECT_EQ(client.exchanges[0]->status, 0);
  EXPECT_TRUE(client.exchanges[1]->ended);
}

TEST(H2Client, AbortBeforeAnythingWasSentSendsNothing) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.send(TestClient::request());
  exchange.stream->abort();
  const auto frames = parse_frames(client.transport.flush());
  EXPECT_EQ(find_frame(frames, NGHTTP2_HEADERS), nullptr);
  auto unused = std::make_unique<ClientExchange>();
  client.session->open(*unused).abort();
  EXPECT_EQ(client.session->active(), 0u);
  EXPECT_GE(client.owner.available, 1);
}

TEST(H2Client, StreamsMayBeAbortedInsideTheirEvents) {
  TestClient client;
  client.start();
  ClientExchange& exchange = client.get_sent();
  exchange.response_hook = [](ClientExchange& e) { e.stream->abort(); };
  client.feed(headers(1, {{":status", "200"}}, kEndHeaders) + data(1, "abc", kEndStream));
  EXPECT_EQ(exchange.body, "");
  EXPECT_FALSE(exchange.ended);
}

TEST(H2Client, CloseWhenIdle) {
  TestClient client;
  client.start();
  client.get_sent();
  client.session->close_when_idle();
  client.transport.flush();
  EXPECT_EQ(client.session->available(), 0u);
  EXPECT_FALSE(client.transport.closing);
  client.feed(headers(1, {{":status", "200"}}));
  EXPECT_TRUE(client.exchanges[0]->ended);
  EXPECT_TRUE(client.transport.closing);
  EXPECT_EQ(client.owner.closed, 1);
  EXPECT_EQ(client.owner.available, 1);  // after SETTINGS; not while closing
}

TEST(H2Client, IdleConnectionsAreClosed) {
  TestClient client;
  client.start();
  client.transport.advance(59s);
  client.transport.flush();
  EXPECT_FALSE(client.transport.closing);
  client.transport.advance(2s);
  client.transport.flush();
  EXPECT_TRUE(client.transport.closing);
  EXPECT_EQ(client.owner.closed, 1);
}

TEST(H2Client, ASilentConnectionIsAskedWhetherItLives) {
  for (const bool answers : {true, false}) {
    SCOPED_TRACE(answers);
    TestClient client;
    client.start();
    client.get_sent();
    client.transport.advance(36s);
    const auto frames = parse_frames(client.transport.flush());
    const RawFrame* ping = find_frame(frames, NGHTTP2_PING);
    ASSERT_NE(ping, nullptr);
    if (answers) client.feed(frame(NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, ping->payload));
    client.transport.advance(16s);
    client.transport.flush();
    EXPECT_EQ(client.exchanges[0]->failed, !answers);
    EXPECT_EQ(client.owner.closed, answers ? 0 : 1);
    EXPECT_EQ(client.exchanges[0]->failure.kind, FailureKind::reset);
  }
}

// --- flow control ---

TEST(H2Client, AStalledStreamDoesNotStopTheOthers) {
  H2ClientOptions options;
  options.stream_window_bytes = 128 * 1024;
  options.connection_window_bytes = 256 * 1024;
  TestClient client(options);
  Nghttp2Peer server(true);
  for (int i = 0; i < 6; ++i) {
    client.send(TestClient::request());
    if (i < 5) client.exchanges.back()->stream->pause_reading();
  }
  talk(client.transport, server);
  for (int i = 0; i < 6; ++i) server.respond(2 * i + 1, {{":status", "200"}}, std::string(1'000'000, 'x'), true);
  talk(client.transport, server);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(client.exchanges[static_cast<std::size_t>(i)]->body.size(), 128u * 1024);
  }
  EXPECT_EQ(client.exchanges[5]->body.size(), 1'000'000u);
  EXPECT_TRUE(client.exchanges[5]->ended);
  client.exchanges[0]->stream->resume_reading();
  talk(client.transport, server);
  EXPECT_EQ(client.exchanges[0]->body.size(), 1'000'000u);
}

TEST(H2Client, LargeUploadsInBoundedMemory) {
  constexpr std::size_t kBytes = 8 * 1024 * 1024;
  TestClient client;
  Nghttp2Peer server(true);
  ClientExchange& exchange = client.send(TestClient::request("PUT"), End::no);
  const std::string piece(64 * 1024, 'u');
  std::size_t sent = 0;
  while (sent < kBytes) {
    while (sent < kBytes && exchange.stream->buffered() < kHighWater) {
      sent += piece.size();
      exchange.stream->send_body(piece, sent == kBytes ? End::yes : End::no);
    }
    EXPECT_LE(exchange.stream->buffered(), kHighWater + piece.size());
    talk(client.transport, server);
  }
  talk(client.transport, server);
  EXPECT_EQ(server.streams[1].body.size(), kBytes);
  EXPECT_TRUE(server.streams[1].ended);
}

// --- tunnels ---

struct TunnelCase {
  const char* name;
  bool early;  // asked for before the SETTINGS came
  bool allowed;
};

TEST(H2Client, TunnelsNeedThePeersConsent) {
  for (const TunnelCase& c : {TunnelCase{"early, allowed", true, true},
                              {"early, not allowed", true, false},
                              {"later, allowed", false, true},
                              {"later, not allowed", false, false}}) {
    SCOPED_TRACE(c.name);
    TestClient client;
    client.transport.flush();
    const std::string theirs = settings(c.allowed ? std::string("\0\x8\0\0\0\1", 6) : std::string());
    if (!c.early) client.feed(theirs);
    RequestHead head = TestClient::request("GET", "/chat");
    head.protocol = "websocket";
    ClientExchange& exchange = client.send(head, End::no);
    auto frames = parse_frames(client.transport.flush());
    if (c.early) {
      EXPECT_EQ(find_frame(frames, NGHTTP2_HEADERS), nullptr);
      frames = client.feed(theirs);
    }
    EXPECT_EQ(find_frame(frames, NGHTTP2_HEADERS, 1) != nullptr, c.allowed);
    EXPECT_EQ(exchange.failed, !c.allowed);
    if (!c.allowed) {
      EXPECT_TRUE(exchange.failure.request_unseen);
      EXPECT_EQ(exchange.failure.reason, Reason::bad_upgrade);
      continue;
    }
    client.feed(headers(1, {{":status", "200"}}, kEndHeaders) + data(1, "down"));
    EXPECT_EQ(exchange.body, "down");
    exchange.stream->send_body("up", End::no);
    frames = parse_frames(client.transport.flush());
    EXPECT_EQ(find_frame(frames, NGHTTP2_DATA, 1)->payload, "up");
    client.feed(data(1, "", kEndStream));
    EXPECT_TRUE(exchange.tunnel_ended);
  }
}

// --- a hostile upstream ---

struct HostileCase {
  const char* name;
  std::function<std::string(int)> round;
};

TEST(H2Client, FloodsEndTheConnection) {
  const HostileCase cases[] = {
      {"ping", [](int) { return frame(NGHTTP2_PING, 0, 0, "12345678"); }},
      {"settings", [](int) { return settings(); }},
      {"empty data",
       [](int i) {
         return (i == 0 ? headers(1, {{":status", "200"}}, kEndHeaders) : "") + data(1, "");
       }},
      {"unknown", [](int) { return frame(0xee, 0, 0, ""); }},
      {"priority", [](int) { return frame(NGHTTP2_PRIORITY, 0, 1, number(0) + "\x10"); }},
      {"window updates", [](int) { return window_update(0, 1); }},
      {"push", [](int) { return frame(NGHTTP2_PUSH_PROMISE, kEndHeaders, 1, number(2) + hpack(get())); }},
      {"origin", [](int) { return frame(0xc, 0, 0, ""); }},
      {"altsvc", [](int) { return frame(0xa, 0, 0, std::string("\0\1a", 3)); }},
  };
  for (const HostileCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestClient client;
    client.start();
    ClientExchange& exchange = client.get_sent();
    int rounds = 0;
    while (!client.transport.closing && rounds < 5000) client.feed(c.round(rounds++));
    EXPECT_TRUE(client.transport.closing);
    EXPECT_TRUE(exchange.failed);
    EXPECT_EQ(exchange.failure.kind, FailureKind::bad_response);
    EXPECT_EQ(client.owner.closed, 1);
    EXPECT_LE(client.transport.largest, 64u * 1024);
  }
}

TEST(H2Client, AServerThatNeverSpeaksHttp2) {
  TestClient client;
  client.get_sent();
  client.feed("HTTP/1.1 400 Bad Request\r\n\r\n");
  EXPECT_TRUE(client.exchanges[0]->failed);
  EXPECT_EQ(client.exchanges[0]->failure.kind, FailureKind::bad_response);
  EXPECT_TRUE(client.transport.closing);
}

TEST(H2Client, EverySplitGivesTheSameEvents) {
  std::string input = settings() + headers(1, {{":status", "103"}, {"link", "</a>"}}, kEndHeaders);
  input += headers(1, {{":status", "200"}, {"content-length", "6"}}, kEndHeaders) + data(1, "abc") + data(1, "def");
  input += headers(1, {{"x-sum", "1"}});
  const std::string block = hpack({{":status", "404"}, {"x", std::string(60, 'y')}});
  input += frame(NGHTTP2_HEADERS, kEndStream, 3, block.substr(0, 5)) +
           frame(NGHTTP2_CONTINUATION, kEndHeaders, 3, block.substr(5));
  input += headers(5, {{":status", "200"}, {"Upper", "1"}}) + rst_stream(7, NGHTTP2_REFUSED_STREAM) + goaway(7);
  const auto run = [&](const std::vector<std::size_t>& cuts) {
    TestClient client;
    for (int i = 0; i < 4; ++i) client.get_sent();
    std::size_t from = 0;
    for (const std::size_t cut : cuts) {
      client.session->on_data(std::string_view(input).substr(from, cut - from));
      from = cut;
    }
    client.session->on_data(std::string_view(input).substr(from));
    client.transport.flush();
    std::string log;
    for (const auto& e : client.exchanges) {
      log += e->informational + std::to_string(e->status) + e->head + "#" + e->body + "#" + e->trailers +
             (e->ended ? "E" : "-") + (e->failed ? std::to_string(static_cast<int>(e->failure.kind)) : "-") + "\n";
    }
    return log;
  };
  const std::string whole = run({});
  EXPECT_NE(whole.find("103;200content-length=6;#abcdef#x-sum=1;E-"), std::string::npos);
  std::vector<std::size_t> all;
  for (std::size_t at = 1; at < input.size(); ++at) {
    ASSERT_EQ(run({at}), whole) << "cut at " << at;
    all.push_back(at);
  }
  EXPECT_EQ(run(all), whole);
}

}  // namespace
}  // namespace gatehouse::http
