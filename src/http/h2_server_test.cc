#include "http/h2_server.h"

#include <gtest/gtest.h>

#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

TEST(H2Server, AnnouncesItsSettings) {
  TestServer server;
  const auto frames = parse_frames(server.transport.flush());
  const RawFrame* settings_frame = find_frame(frames, NGHTTP2_SETTINGS);
  ASSERT_NE(settings_frame, nullptr);
  std::map<int, std::uint32_t> values;
  for (std::size_t at = 0; at + 6 <= settings_frame->payload.size(); at += 6) {
    values[settings_frame->payload[at + 1]] = settings_frame->word(at + 2);
  }
  EXPECT_EQ(values[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS], 100u);
  EXPECT_EQ(values[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL], 1u);
  EXPECT_EQ(values[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE], 32u * 1024);
  EXPECT_EQ(values[NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES], 1u);
  const RawFrame* window = find_frame(frames, NGHTTP2_WINDOW_UPDATE, 0);
  ASSERT_NE(window, nullptr);
  EXPECT_EQ(window->word(0), 1024u * 1024 - 65535);
}

// --- what a request must look like (RFC 9113 §8.2, §8.3; gateway.md) ---

struct HeadCase {
  const char* name;
  FieldList fields;
  Reason reason;   // none: accepted
  int status = 0;  // refused with an answer instead of a reset
  std::uint8_t flags = kEndStream | kEndHeaders;
};

const HeadCase kHeads[] = {
    {"plain", get(), Reason::none},
    {"query", get("/a/b?c=d&e"), Reason::none},
    {"host without authority", with(without(get(), ":authority"), {{"host", "shop.example"}}), Reason::none},
    {"host equal to authority", with(get(), {{"host", "SHOP.example"}}), Reason::none},
    {"te trailers", with(get(), {{"te", "trailers"}}), Reason::none},
    {"cookies apart", with(get(), {{"cookie", "a=1"}, {"cookie", "b=2"}}), Reason::none},
    {"empty value", with(get(), {{"x-empty", ""}}), Reason::none},
    {"bytes above 0x7f", with(get(), {{"x-name", "caf\xc3\xa9"}}), Reason::none},
    {"asterisk", replaced(replaced(get("*"), ":method", "OPTIONS"), ":path", "*"), Reason::none},
    {"content-length zero", with(post(), {{"content-length", "0"}}), Reason::none},
    {"content-length ahead of data", with(post(), {{"content-length", "5"}}), Reason::none, 0, kEndHeaders},
    {"underscore", with(get(), {{"x_a", "1"}}), Reason::underscore_in_name, 400},
    {"own method", replaced(get(), ":method", "PURGE"), Reason::none},
    {"scheme of a terminator in front", replaced(get(), ":scheme", "http"), Reason::none},
    {"ipv6 authority", replaced(get(), ":authority", "[::1]:8443"), Reason::none},

    {"no method", without(get(), ":method"), Reason::h2_bad_pseudo_header},
    {"no scheme", without(get(), ":scheme"), Reason::h2_bad_pseudo_header},
    {"no path", without(get(), ":path"), Reason::h2_bad_pseudo_header},
    {"nothing", {}, Reason::h2_bad_pseudo_header},
    {"no authority and no host", without(get(), ":authority"), Reason::missing_host},
    {"two methods", with({{":method", "GET"}}, get()), Reason::h2_bad_pseudo_header},
    {"two paths", with({{":path", "/"}}, get()), Reason::h2_bad_pseudo_header},
    {"two authorities", with({{":authority", "a"}}, get()), Reason::h2_bad_pseudo_header},
    {"two schemes", with({{":scheme", "https"}}, get()), Reason::h2_bad_pseudo_header},
    {"unknown pseudo", with({{":extra", "1"}}, get()), Reason::h2_bad_pseudo_header},
    {"status in a request", with({{":status", "200"}}, get()), Reason::h2_bad_pseudo_header},
    {"misplaced pseudo", with({{"x-a", "1"}}, get()), Reason::h2_bad_pseudo_header},
    {"empty path", replaced(get(), ":path", ""), Reason::bad_target},
    {"relative path", replaced(get(), ":path", "a/b"), Reason::bad_target},
    {"absolute path", replaced(get(), ":path", "https://shop.example/"), Reason::bad_target},
    {"asterisk for GET", replaced(get(), ":path", "*"), Reason::bad_target},
    {"fragment", replaced(get(), ":path", "/a#b"), Reason::bad_target},
    {"space in path", replaced(get(), ":path", "/a b"), Reason::bad_target},
    {"newline in path", replaced(get(), ":path", "/a\r\nx: y"), Reason::bad_target},
    {"nul in path", replaced(get(), ":path", std::string("/a\0b", 4)), Reason::bad_target},
    {"other scheme", replaced(get(), ":scheme", "ftp"), Reason::h2_bad_pseudo_header},
    {"empty scheme", replaced(get(), ":scheme", ""), Reason::h2_bad_pseudo_header},
    {"empty method", replaced(get(), ":method", ""), Reason::bad_method, 400},
    {"space in method", replaced(get(), ":method", "GE T"), Reason::bad_method, 400},
    {"empty authority", replaced(get(), ":authority", ""), Reason::bad_host},
    {"userinfo", replaced(get(), ":authority", "user@shop.example"), Reason::bad_host},
    {"path in authority", replaced(get(), ":authority", "shop.example/x"), Reason::bad_host},
    {"host differs", with(get(), {{"host", "other.example"}}), Reason::authority_mismatch},
    {"two hosts", with(get(), {{"host", "shop.example"}, {"host", "shop.example"}}), Reason::duplicate_host},
    {"upper case name", with(get(), {{"X-Upper", "1"}}), Reason::h2_uppercase_name},
    {"empty name", with(get(), {{"", "1"}}), Reason::bad_field_name},
    {"space in name", with(get(), {{"x a", "1"}}), Reason::bad_field_name},
    {"colon in name", with(get(), {{"x:a", "1"}}), Reason::bad_field_name},
    {"cr in name", with(get(), {{"x\ra", "1"}}), Reason::bad_field_name},
    {"8-bit name", with(get(), {{"x\xff", "1"}}), Reason::bad_field_name},
    {"cr in value", with(get(), {{"x", "a\rb"}}), Reason::control_byte},
    {"lf in value", with(get(), {{"x", "a\nb"}}), Reason::control_byte},
    {"crlf in value", with(get(), {{"x", "a\r\ny: z"}}), Reason::control_byte},
    {"nul in value", with(get(), {{"x", std::string("a\0b", 3)}}), Reason::control_byte},
    {"del in value", with(get(), {{"x", "a\x7f"}}), Reason::control_byte},
    {"leading space", with(get(), {{"x", " a"}}), Reason::leading_space},
    {"trailing tab", with(get(), {{"x", "a\t"}}), Reason::leading_space},
    {"connection", with(get(), {{"connection", "close"}}), Reason::h2_connection_header},
    {"keep-alive", with(get(), {{"keep-alive", "1"}}), Reason::h2_connection_header},
    {"proxy-connection", with(get(), {{"proxy-connection", "close"}}), Reason::h2_connection_header},
    {"transfer-encoding", with(post(), {{"transfer-encoding", "chunked"}}), Reason::h2_connection_header},
    {"upgrade", with(get(), {{"upgrade", "websocket"}}), Reason::h2_connection_header},
    {"te gzip", with(get(), {{"te", "gzip"}}), Reason::h2_connection_header},
    {"te trailers and more", with(get(), {{"te", "trailers, deflate"}}), Reason::h2_connection_header},
    {"two lengths", with(post(), {{"content-length", "0"}, {"content-length", "0"}}), Reason::duplicate_content_length},
    {"signed length", with(post(), {{"content-length", "+1"}}), Reason::bad_content_length},
    {"hexadecimal length", with(post(), {{"content-length", "0x1"}}), Reason::bad_content_length},
    {"empty length", with(post(), {{"content-length", ""}}), Reason::bad_content_length},
    {"list of lengths", with(post(), {{"content-length", "1, 1"}}), Reason::bad_content_length},
    {"overflowing length", with(post(), {{"content-length", "18446744073709551616"}}), Reason::bad_content_length},
    {"length without data", with(post(), {{"content-length", "5"}}), Reason::content_length_mismatch},
    {"other expectation", with(post(), {{"expect", "202-accepted"}}), Reason::bad_expect, 417},
    {"plain CONNECT", {{":method", "CONNECT"}, {":authority", "db:5432"}}, Reason::bad_method, 400},
    {"protocol without CONNECT", with({{":protocol", "websocket"}}, get()), Reason::h2_bad_pseudo_header},
};

TEST(H2Server, JudgesRequestHeads) {
  for (const HeadCase& c : kHeads) {
    SCOPED_TRACE(c.name);
    TestServer server;
    server.start();
    const auto frames = server.feed(headers(1, c.fields, c.flags));
    if (c.reason == Reason::none) {
      EXPECT_EQ(server.sink.exchanges.size(), 1u);
      EXPECT_TRUE(server.sink.refused.empty());
      EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM), nullptr);
    } else {
      EXPECT_TRUE(server.sink.exchanges.empty());
      ASSERT_EQ(server.sink.refused.size(), 1u);
      EXPECT_EQ(reason_code(server.sink.refused[0]), reason_code(c.reason));
      if (c.status == 0) {
        const RawFrame* reset = find_frame(frames, NGHTTP2_RST_STREAM, 1);
        ASSERT_NE(reset, nullptr);
        EXPECT_EQ(reset->word(0), static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
        EXPECT_EQ(find_frame(frames, NGHTTP2_HEADERS), nullptr);
      } else {
        EXPECT_NE(find_frame(frames, NGHTTP2_HEADERS, 1), nullptr);
        EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM, 1), nullptr);
      }
    }
    // The connection lives on: compression state and streams are sound.
    EXPECT_FALSE(server.transport.closing);
    server.feed(headers(3, get("/after")));
    EXPECT_EQ(server.sink.exchanges.size(), c.reason == Reason::none ? 2u : 1u);
  }
}

TEST(H2Server, GivesTheHeadAsItCame) {
  TestServer server;
  server.start();
  server.feed(headers(
      1,
      with(post("/a?b"), {{"host", "shop.example"}, {"content-length", "3"}, {"expect", "100-continue"}, {"x", "y"}}),
      kEndHeaders));
  EXPECT_EQ(server.only().log, "POST https shop.example /a?b  3 continue | content-length=3;expect=100-continue;x=y;");
}

TEST(H2Server, TakesTheSchemeFromTheConnection) {
  TestServer plain({}, false);
  plain.start();
  plain.feed(headers(1, get()));
  EXPECT_EQ(plain.only().log.substr(0, 9), "GET http ");
}

struct BoundCase {
  const char* name;
  FieldList fields;
  Reason reason;
  const char* status;
};

TEST(H2Server, AnswersWhatIsPastABound) {
  H2ServerOptions options;
  options.header_bytes = 4096;
  options.headers = 20;
  options.uri_bytes = 1000;
  options.allow_underscore_names = false;
  FieldList many;
  for (int i = 0; i < 30; ++i) many.push_back({"x" + std::to_string(i), "v"});
  const BoundCase cases[] = {
      {"bytes", with(get(), {{"x", std::string(5000, 'a')}}), Reason::header_too_large, "431"},
      {"count", with(get(), many), Reason::too_many_headers, "431"},
      {"uri", get("/" + std::string(1000, 'a')), Reason::uri_too_long, "414"},
      {"underscore", with(get(), {{"x_y", "1"}}), Reason::underscore_in_name, "400"},
  };
  for (const BoundCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestServer server(options);
    Nghttp2Peer client(false);
    talk(server.transport, client);
    const std::int32_t id = client.request(c.fields);
    talk(server.transport, client);
    ASSERT_EQ(server.sink.refused.size(), 1u);
    EXPECT_EQ(server.sink.refused[0], c.reason);
    EXPECT_EQ(client.streams[id].fields[":status"], c.status);
    EXPECT_EQ(client.streams[id].fields["x-request-id"], "01REFUSED");
    EXPECT_NE(client.streams[id].body.find("\"request_id\":\"01REFUSED\""), std::string::npos);
    EXPECT_EQ(client.streams[id].code, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
    EXPECT_FALSE(server.transport.closing);
  }
}

// --- exchanges, with nghttp2 as the client ---

TEST(H2Server, AnswersWithBodyAndTrailers) {
  TestServer server;
  Nghttp2Peer client(false);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
    ResponseHead head = ok();
    head.fields.add("content-type", "application/grpc");
    head.fields.add("connection", "close");
    head.fields.add("transfer-encoding", "chunked");
    exchange.stream->send_head(head, End::no);
    exchange.stream->send_body("hello ", End::no);
    exchange.stream->send_body("world", End::no);
    Fields trailers;
    trailers.add("grpc-status", "0");
    exchange.stream->send_trailers(trailers);
  };
  const std::int32_t id = client.request(get());
  talk(server.transport, client);
  PeerStream& stream = client.streams[id];
  EXPECT_EQ(stream.fields[":status"], "200");
  EXPECT_EQ(stream.fields["content-type"], "application/grpc");
  EXPECT_EQ(stream.fields.count("connection"), 0u);
  EXPECT_EQ(stream.fields.count("transfer-encoding"), 0u);
  EXPECT_EQ(stream.body, "hello world");
  EXPECT_EQ(stream.trailers["grpc-status"], "0");
  EXPECT_TRUE(stream.closed);
  EXPECT_EQ(stream.code, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
  EXPECT_TRUE(server.only().completed);
  EXPECT_GT(server.only().bytes_out, 11u);
  EXPECT_TRUE(client.invalid.empty());
}

TEST(H2Server, TrailersWithoutABodyNeedNoDataFrame) {
  TestServer server;
  server.start();
  server.feed(headers(1, get()));
  server.only().stream->send_head(ok(), End::no);
  Fields trailers;
  trailers.add("grpc-status", "12");
  server.only().stream->send_trailers(trailers);
  const auto frames = parse_frames(server.transport.flush());
  EXPECT_EQ(frames.size(), 2u);
  EXPECT_EQ(find_frame(frames, NGHTTP2_DATA), nullptr);
  EXPECT_TRUE(server.only().completed);
}

struct BodylessCase {
  const char* name;
  const char* method;
  int status;
};

TEST(H2Server, BodylessAnswersEndWithTheirHead) {
  for (const BodylessCase& c : {BodylessCase{"HEAD", "HEAD", 200}, {"204", "GET", 204}, {"304", "GET", 304}}) {
    SCOPED_TRACE(c.name);
    TestServer server;
    Nghttp2Peer client(false);
    server.sink.request_hook = [&](ServerExchange& exchange, const RequestHead&, End) {
      ResponseHead head = ok(11);
      head.status = c.status;
      exchange.stream->send_head(head, End::no);
      exchange.stream->send_body("hello world", End::yes);
    };
    const std::int32_t id = client.request(replaced(get(), ":method", c.method));
    talk(server.transport, client);
    EXPECT_TRUE(client.streams[id].closed);
    EXPECT_EQ(client.streams[id].body, "");
    EXPECT_EQ(client.streams[id].fields.count("content-length"), c.status == 204 ? 0u : 1u);
    EXPECT_TRUE(client.invalid.empty());
    EXPECT_TRUE(server.only().completed);
  }
}

TEST(H2Server, InterimResponses) {
  TestServer server;
  Nghttp2Peer client(false);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead& head, End) {
    EXPECT_TRUE(head.expect_continue);
    ResponseHead interim;
    interim.status = 100;
    exchange.stream->send_informational(interim);
    exchange.stream->send_informational(interim);  // once is enough
    interim.status = 103;
    interim.fields.add("link", "</a.css>");
    exchange.stream->send_informational(interim);
  };
  const std::int32_t id = client.request(with(post(), {{"expect", "100-continue"}}), "abc", true);
  talk(server.transport, client);
  EXPECT_EQ(server.only().body, "abc");
  EXPECT_TRUE(server.only().ended);
  server.only().stream->send_head(ok(), End::yes);
  talk(server.transport, client);
  EXPECT_EQ(client.streams[id].interim, (std::vector<std::string>{"100", "103"}));
  EXPECT_EQ(client.streams[id].fields[":status"], "200");
}

TEST(H2Server, WithoutEventsAnswers500) {
  TestServer server;
  server.sink.ignore = true;
  Nghttp2Peer client(false);
  const std::int32_t id = client.request(get());
  talk(server.transport, client);
  EXPECT_EQ(client.streams[id].fields[":status"], "500");
  EXPECT_TRUE(client.streams[id].closed);
}

TEST(H2Server, RequestTrailers) {
  TestServer server;
  Nghttp2Peer client(false);
  client.send_trailers = {{"x-checksum", "1"}};
  client.request(post(), "abc", true);
  talk(server.transport, client);
  EXPECT_EQ(server.only().body, "abc");
  EXPECT_EQ(server.only().trailers, "x-checksum=1;");
}

struct TailCase {
  const char* name;
  std::string frames;  // after a POST that is still open, with content-length 3
  Reason reason;
};

TEST(H2Server, JudgesWhatFollowsTheHead) {
  const TailCase cases[] = {
      {"exact", data(1, "abc", kEndStream), Reason::none},
      {"in two, empty end", data(1, "ab") + data(1, "c") + data(1, "", kEndStream), Reason::none},
      {"trailers", data(1, "abc") + headers(1, {{"x-sum", "1"}}), Reason::none},
      {"too short", data(1, "ab", kEndStream), Reason::content_length_mismatch},
      {"too long", data(1, "abcd"), Reason::content_length_mismatch},
      {"too short with trailers", data(1, "ab") + headers(1, {{"x-sum", "1"}}), Reason::content_length_mismatch},
      {"pseudo in trailers", data(1, "abc") + headers(1, {{":path", "/"}}), Reason::bad_trailer},
      {"length in trailers", data(1, "abc") + headers(1, {{"content-length", "3"}}), Reason::bad_trailer},
      {"host in trailers", data(1, "abc") + headers(1, {{"host", "a"}}), Reason::bad_trailer},
      {"connection in trailers", data(1, "abc") + headers(1, {{"connection", "close"}}), Reason::h2_connection_header},
      {"upper case in trailers", data(1, "abc") + headers(1, {{"X-Sum", "1"}}), Reason::h2_uppercase_name},
      {"second head without end", data(1, "abc") + headers(1, {{"x-sum", "1"}}, kEndHeaders),
       Reason::h2_protocol_error},
  };
  for (const TailCase& c : cases) {
    SCOPED_TRACE(c.name);
    TestServer server;
    server.start();
    server.feed(headers(1, with(post(), {{"content-length", "3"}}), kEndHeaders));
    const auto frames = server.feed(c.frames);
    const ServerExchange& exchange = server.only();
    if (c.reason == Reason::none) {
      EXPECT_TRUE(exchange.ended);
      EXPECT_EQ(exchange.body, "abc");
      EXPECT_FALSE(exchange.aborted);
    } else {
      EXPECT_FALSE(exchange.ended);
      EXPECT_TRUE(exchange.aborted);
      EXPECT_EQ(reason_code(exchange.reason), reason_code(c.reason));
      const RawFrame* reset = find_frame(frames, NGHTTP2_RST_STREAM, 1);
      ASSERT_NE(reset, nullptr);
      EXPECT_EQ(reset->word(0), static_cast<std::uint32_t>(NGHTTP2_PROTOCOL_ERROR));
    }
    EXPECT_FALSE(server.transport.closing);
  }
}

TEST(H2Server, BodyBeyondItsBoundIs413) {
  for (const bool declared : {true, false}) {
    SCOPED_TRACE(declared);
    H2ServerOptions options;
    options.body_bytes = 1000;
    TestServer server(options);
    Nghttp2Peer client(false);
    const FieldList fields = declared ? with(post(), {{"content-length", "5000"}}) : post();
    const std::int32_t id = client.request(fields, std::string(5000, 'x'), true);
    talk(server.transport, client);
    server.transport.advance(3s);
    talk(server.transport, client);
    EXPECT_TRUE(server.only().aborted);
    EXPECT_EQ(server.only().reason, Reason::body_too_large);
    EXPECT_EQ(client.streams[id].fields[":status"], "413");
    EXPECT_TRUE(client.streams[id].closed);
    EXPECT_LE(server.only().body.size(), 1000u);
  }
}

TEST(H2Server, ARouteMayWidenTheBodyBound) {
  H2ServerOptions options;
  options.body_bytes = 10;
  TestServer server(options);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
    exchange.stream->set_body_max(100);
  };
  server.start();
  server.feed(headers(1, with(post(), {{"content-length", "50"}}), kEndHeaders) +
              data(1, std::string(50, 'x'), kEndStream));
  EXPECT_TRUE(server.only().ended);
}

TEST(H2Server, AnEarlyAnswerEndsTheRequestWithoutAnError) {
  for (const int status : {200, 401}) {
    SCOPED_TRACE(status);
    TestServer server;
    server.start();
    server.feed(headers(1, post(), kEndHeaders) + data(1, "abc"));
    ResponseHead head = ok();
    head.status = status;
    server.only().stream->send_head(head, End::yes);
    auto frames = parse_frames(server.transport.flush());
    EXPECT_TRUE(server.only().completed);
    if (status >= 400) {  // not at once: curl would not look at the answer
      EXPECT_EQ(find_frame(frames, NGHTTP2_RST_STREAM), nullptr);
      server.feed(data(1, "def"));  // read past
      EXPECT_EQ(server.only().body, "abc");
      server.transport.advance(3s);
      frames = parse_frames(server.transport.flush());
    }
    const RawFrame* reset = find_frame(frames, NGHTTP2_RST_STREAM, 1);
    ASSERT_NE(reset, nullptr);
    EXPECT_EQ(reset->word(0), static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
    server.feed(data(1, "ghi"));  // still on its way when the reset left
    EXPECT_FALSE(server.transport.closing);
  }
}

TEST(H2Server, AnUploadMayFinishBehindAnError) {
  H2ServerOptions options;
  options.body_bytes = 2'000'000;
  TestServer server(options);
  server.sink.request_hook = [](ServerExchange& exchange, const RequestHead&, End) {
    ResponseHead head = ok();
    head.status = 401;
    exchange.stream->send_head(head, End::yes);
  };
  Nghttp2Peer client(false);
  const std::int32_t id = client.request(post(), std::string(1'000'000, 'x'), true);
  talk(server.transport, client);
  EXPECT_TRUE(server.only().completed);
  EXPECT_EQ(client.streams[id].out_at, 1'000'000u);
  EXPECT_TRUE(client.streams[id].closed);
  EXPECT_EQ(client.streams[id].code, static_cast<std::uint32_t>(NGHTTP2_NO_ERROR));
}

TEST(H2Server, EverySplitGivesTheSameEvents) {
  std::string input = preface();
  input += headers(1, with(post("/one"), {{"content-length", "5"}}), kEndHeaders);
  input += data(1, "hel") + data(1, "lo", kEndStream);
  const std::string block = hpack(with(get("/two"), {{"x-long", std::string(200, 'q')}}));
  input += frame(NGHTTP2_HEADERS, kEndStream, 3, block.substr(0, 10));
  input += frame(NGHTTP2_CONTINUATION, 0, 3, block.substr(10, 40));
  input += frame(NGHTTP2_CONTINUATION, kEndHeaders, 3, block.substr(50));
  input += headers(5, with(get(), {{"Bad", "1"}}));
  input += frame(NGHTTP2_DATA, 0x8, 7, "").substr(0, 0);
  input += headers(7, post("/seven"), kEndHeaders) + frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 7,
                                                           std::string("\x03"
                                                                       "abc\0\0\0",
                                                                       7));
  input += headers(7, {{"x-t", "1"}});
  input += frame(NGHTTP2_PING, 0, 0, "12345678") + frame(0xbb, 0, 0, "unknown") + rst_stream(7);
  const auto run = [&](const std::vector<std::size_t>& cuts) {
    TestServer server;
    std::size_t from = 0;
    std::string out;
    for (const std::size_t cut : cuts) {
      server.session->on_data(std::string_view(input).substr(from, cut - from));
      from = cut;
    }
    server.session->on_data(std::string_view(input).substr(from));
    server.transport.flush();
    std::string log;
    for (const auto& e : server.sink.exchanges) {
      log += e->log + "#" + e->body + "#" + e->trailers + (e->ended ? "E" : "-") + (e->aborted ? "A" : "-") + "\n";
    }
    for (const Reason reason : server.sink.refused) log += std::string(reason_code(reason)) + "\n";
    return log + (server.transport.closing ? "closing" : "open");
  };
  const std::string whole = run({});
  EXPECT_NE(whole.find("hello"), std::string::npos);
  EXPECT_NE(whole.find("/two"), std::string::npos);
  EXPECT_NE(whole.find("http.h2_uppercase_name"), std::string::npos);
  EXPECT_NE(whole.find("x-t=1;"), std::string::npos);
  EXPECT_NE(whole.find("open"), std::string::npos);
  for (std::size_t at = 1; at < input.size(); ++at) ASSERT_EQ(run({at}), whole) << "cut at " << at;
  std::vector<std::size_t> all;
  for (std::size_t at = 1; at < input.size(); ++at) all.push_back(at);
  EXPECT_EQ(run(all), whole);
}

}  // namespace
}  // namespace gatehouse::http
