// The server's session on a transport without a socket: requests in, answers out, and every way in which either ends.
#include "http/http1_server.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/drain.h"
#include "http/fake_peers.h"

namespace gatehouse::http {
namespace {

ResponseHead response(int status, std::optional<std::uint64_t> length = std::nullopt) {
  ResponseHead head;
  head.status = status;
  head.content_length = length;
  return head;
}

void answer(RecordedRequest& request, int status, std::string_view body) {
  request.stream->send_head(response(status, body.size()), body.empty() ? End::yes : End::no);
  if (!body.empty()) request.stream->send_body(body, End::yes);
}

class Http1ServerTest : public testing::Test {
 protected:
  void SetUp() override {
    options.body_bytes = 1000;
    options.header_bytes = 512;
    begin();
  }
  void begin() {
    transport = std::make_unique<FakeTransport>(clock);
    session = make_http1_server(*transport, sink, info, options);
    transport->attach(*session);
  }
  void answer_all(int status = 200, std::string body = "") {
    sink.handler = [status, body](RecordedRequest& request) { answer(request, status, body); };
  }
  std::string exchange(std::string_view bytes) {
    transport->peer_sends(bytes);
    return transport->take();
  }
  RecordedRequest& last() { return sink.last(); }

  FakeClock clock;
  RecordingSink sink;
  ConnectionInfo info;
  Http1ServerOptions options;
  std::unique_ptr<FakeTransport> transport;
  std::unique_ptr<Session> session;
};

const std::string kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string kOk = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
std::string post(const std::string& fields, const std::string& body = "") {
  return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

TEST_F(Http1ServerTest, KeepsTheConnectionOrClosesIt) {
  struct {
    const char* name;
    std::string request, response_fields;
    bool closes;
  } const cases[] = {
      {"HTTP/1.1", kGet, "", false},
      {"HTTP/1.1, close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "connection: close\r\n", true},
      {"HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", "connection: close\r\n", true},
      {"HTTP/1.0, keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
       "connection: keep-alive\r\n", false},
      {"a body read in full", post("Content-Length: 2\r\n", "hi"), "", false},
  };
  answer_all();
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    EXPECT_EQ(exchange(c.request), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n" + c.response_fields + "\r\n");
    EXPECT_EQ(transport->closing(), c.closes);
    EXPECT_TRUE(last().complete);
    if (!c.closes) {
      EXPECT_EQ(exchange(kGet), kOk);
    }
  }
}

TEST_F(Http1ServerTest, FramesTheAnswer) {
  struct Answer {
    const char* name;
    std::string request_line;
    int status;
    std::optional<std::uint64_t> length;
    End at_once;
    std::string body, expected;
  };
  const Answer cases[] = {
      {"a known length", "GET / HTTP/1.1", 200, 5, End::no, "hello", "200 OK\r\ncontent-length: 5\r\n\r\nhello"},
      {"an unknown length",
       "GET / HTTP/1.1",
       200,
       {},
       End::no,
       "hello",
       "200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
      {"an unknown length that is nothing",
       "GET / HTTP/1.1",
       200,
       {},
       End::no,
       "",
       "200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"nothing", "GET / HTTP/1.1", 404, {}, End::yes, "", "404 Not Found\r\ncontent-length: 0\r\n\r\n"},
      {"to HTTP/1.0", "GET / HTTP/1.0", 200, {}, End::no, "hello", "200 OK\r\nconnection: close\r\n\r\nhello"},
      {"to HEAD, with a length", "HEAD / HTTP/1.1", 200, 5, End::yes, "", "200 OK\r\ncontent-length: 5\r\n\r\n"},
      {"to HEAD, without", "HEAD / HTTP/1.1", 200, {}, End::yes, "", "200 OK\r\n\r\n"},
      {"to HEAD, with a body that must not leave", "HEAD / HTTP/1.1", 200, {}, End::no, "hello", "200 OK\r\n\r\n"},
      {"204", "GET / HTTP/1.1", 204, {}, End::yes, "", "204 No Content\r\n\r\n"},
      {"204 with what it must not have", "GET / HTTP/1.1", 204, 5, End::no, "hello", "204 No Content\r\n\r\n"},
      {"304 with a length", "GET / HTTP/1.1", 304, 5, End::yes, "", "304 Not Modified\r\ncontent-length: 5\r\n\r\n"},
      {"a status without a name", "GET / HTTP/1.1", 299, 0, End::yes, "", "299 \r\ncontent-length: 0\r\n\r\n"},
  };
  for (const Answer& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    sink.handler = [&](RecordedRequest& request) {
      request.stream->send_head(response(c.status, c.length), c.at_once);
      if (c.at_once == End::no) request.stream->send_body(c.body, End::yes);
    };
    const std::string out = exchange(c.request_line + "\r\nHost: a\r\n\r\n");
    EXPECT_EQ(out, "HTTP/1.1 " + c.expected);
    EXPECT_EQ(last().bytes_out, out.size());
    EXPECT_TRUE(last().complete);
  }
}

TEST_F(Http1ServerTest, FramingFieldsOfTheCallerAreIgnored) {
  sink.handler = [](RecordedRequest& request) {
    ResponseHead head = response(200, 2);
    head.fields.add("content-length", "77");
    head.fields.add("transfer-encoding", "chunked");
    head.fields.add("connection", "close");
    head.fields.add("x-kept", "1");
    request.stream->send_head(head, End::no);
    request.stream->send_body("hi", End::yes);
  };
  EXPECT_EQ(exchange(kGet), "HTTP/1.1 200 OK\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\nhi");
}

// The next answer would be read from the middle of this one.
TEST_F(Http1ServerTest, AnAnswerThatBreaksItsLengthEndsTheConnection) {
  struct {
    const char* name;
    std::string body, expected;
  } const cases[] = {{"too long", "hello", "hel"}, {"too short", "he", "he"}, {"nothing at all", "", ""}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    sink.handler = [&](RecordedRequest& request) {
      request.stream->send_head(response(200, 3), End::no);
      request.stream->send_body(c.body, End::yes);
    };
    EXPECT_EQ(exchange(kGet + kGet), "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n" + c.expected);
    EXPECT_TRUE(transport->closing());
  }
}

TEST_F(Http1ServerTest, PipelinedRequestsAreAnsweredOneByOne) {
  transport->peer_sends(kGet + post("Content-Length: 5\r\n", "hello") + "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n" +
                        "GET /4 HT");
  ASSERT_EQ(sink.requests.size(), 1u);
  answer(last(), 200, "one");
  transport->turn();
  ASSERT_EQ(sink.requests.size(), 2u);
  EXPECT_EQ(last().body, "hello");
  EXPECT_TRUE(last().ended);
  answer(last(), 200, "two");
  transport->turn();
  ASSERT_EQ(sink.requests.size(), 3u);
  EXPECT_EQ(last().target, "/3");
  answer(last(), 200, "");
  transport->turn();
  ASSERT_EQ(sink.requests.size(), 3u);
  transport->peer_sends("TP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(sink.requests.size(), 4u);
  EXPECT_EQ(last().target, "/4");
  EXPECT_EQ(transport->take(),
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\none"
            "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\ntwo" +
                kOk);
}

TEST_F(Http1ServerTest, PipelinedBytesAreBounded) {
  transport->peer_sends(kGet);
  std::string many;
  while (many.size() < 20'000) many += kGet;
  transport->peer_sends(many);
  EXPECT_TRUE(transport->paused());
  answer_all();
  answer(last(), 200, "");
  transport->turn();
  EXPECT_EQ(sink.requests.size(), 1 + many.size() / kGet.size());
  EXPECT_FALSE(transport->paused());
  // The stream's own wish to read on doesn't lift the bound.
  sink.handler = {};
  transport->peer_sends(kGet);
  transport->peer_sends(many);
  last().stream->resume_reading();
  EXPECT_TRUE(transport->paused());
}

TEST_F(Http1ServerTest, ARefusedRequestIsAnsweredAndEndsTheConnection) {
  answer_all();
  const std::string out = exchange(kGet + "BAD /x HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n" + kGet);
  EXPECT_EQ(out.substr(0, kOk.size()), kOk);
  EXPECT_EQ(out.substr(kOk.size(), 26), "HTTP/1.1 400 Bad Request\r\n");
  EXPECT_NE(out.find("\r\nx-request-id: refused-id\r\n"), std::string::npos);
  EXPECT_NE(out.find("\r\nconnection: close\r\n"), std::string::npos);
  EXPECT_EQ(sink.requests.size(), 1u);
  EXPECT_EQ(sink.refused, std::vector{Reason::space_before_colon});
  EXPECT_EQ(sink.partial_method, "BAD");
  EXPECT_TRUE(transport->closing());
}

// The parsed head is in memory that all connections share; a record must not name another client's request.
TEST_F(Http1ServerTest, ARefusalNamesNothingOfAnEarlierRequest) {
  answer_all();
  exchange("DELETE /secret HTTP/1.1\r\nHost: a\r\n\r\n");
  exchange("\x01\x02\r\n");
  EXPECT_EQ(sink.refused, std::vector{Reason::bad_method});
  EXPECT_EQ(sink.partial_method, "");
}

TEST_F(Http1ServerTest, RefusalsHaveTheirStatus) {
  struct {
    const char* name;
    std::string bytes;
    Reason reason;
    std::string status;
  } const cases[] = {
      {"syntax", "GET / HTTP/1.1\r\nHost: a\n\r\n", Reason::bare_lf, "400"},
      {"a head too large", "GET / HTTP/1.1\r\nHost: a\r\nx: " + std::string(600, 'x'), Reason::header_too_large, "431"},
      {"an expectation", post("Expect: x\r\n"), Reason::bad_expect, "417"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    sink.refused.clear();
    EXPECT_EQ(exchange(c.bytes).substr(9, 3), c.status);
    EXPECT_EQ(sink.refused, std::vector{c.reason});
  }
}

TEST_F(Http1ServerTest, HeadsThatTrickleIn) {
  answer_all();
  for (const char c : kGet) transport->peer_sends(std::string(1, c));
  EXPECT_EQ(transport->take(), kOk);
  for (const char c : post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nx-t: 1\r\n\r\n")) {
    transport->peer_sends(std::string(1, c));
  }
  EXPECT_EQ(transport->take(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
      << "answered before the body had come";
}

TEST_F(Http1ServerTest, BodiesArriveWithTheirTrailers) {
  for (const std::size_t step : {1, 2, 5, 1000}) {
    begin();
    const std::string bytes =
        post("Transfer-Encoding: chunked\r\n", "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: 1\r\n\r\n") + kGet;
    for (std::size_t at = 0; at < bytes.size(); at += step) transport->peer_sends(bytes.substr(at, step));
    EXPECT_EQ(last().body, "abcde");
    EXPECT_EQ(last().trailers, "x-t=1;");
    EXPECT_TRUE(last().ended);
    answer(last(), 200, "");
    transport->turn();
    EXPECT_EQ(transport->take(), kOk);
    EXPECT_EQ(last().method, "GET");
  }
}

TEST_F(Http1ServerTest, BodiesTooLarge) {
  struct {
    const char* name;
    std::string bytes;
    std::uint64_t bound;
    bool refused;
  } const cases[] = {
      {"a length that fits", post("Content-Length: 5\r\n", "hello"), 5, false},
      {"a length one too long, before any byte of it", post("Content-Length: 6\r\n"), 5, true},
      {"chunks that fit", post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"), 5, false},
      {"chunks one too long", post("Transfer-Encoding: chunked\r\n", "2\r\nhe\r\n4\r\nllo!\r\n0\r\n\r\n"), 5, true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    sink.handler = [&](RecordedRequest& request) { request.stream->set_body_max(c.bound); };
    transport->peer_sends(c.bytes);
    EXPECT_EQ(last().aborted, c.refused);
    if (c.refused) {
      EXPECT_EQ(last().reason, Reason::body_too_large);
      EXPECT_EQ(transport->take().substr(0, 12), "HTTP/1.1 413");
      EXPECT_LE(last().body.size(), c.bound);
      EXPECT_TRUE(transport->closing());
    } else {
      EXPECT_EQ(last().body, "hello");
    }
  }
}

TEST_F(Http1ServerTest, ABadBodyIsRefusedInTheNameOfItsExchange) {
  transport->peer_sends(post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
  transport->peer_sends("x\r\n");
  EXPECT_EQ(last().reason, Reason::bad_chunk);
  EXPECT_EQ(last().body, "hello");
  EXPECT_EQ(transport->take().substr(0, 12), "HTTP/1.1 400");

  begin();  // with half an answer out there is nothing left to say
  transport->peer_sends(post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n"));
  last().stream->send_head(response(200), End::no);
  transport->turn();
  transport->take();
  transport->peer_sends("x\r\n");
  EXPECT_EQ(last().reason, Reason::bad_chunk);
  EXPECT_TRUE(transport->dead());
}

TEST_F(Http1ServerTest, AnEarlyAnswer) {
  answer_all(403, "no");
  const std::string refusal = "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n";
  // The body is not worth waiting for ...
  EXPECT_EQ(exchange(post("Content-Length: 500\r\n", "part of it")), refusal + "connection: close\r\n\r\nno");
  EXPECT_TRUE(last().complete);
  EXPECT_TRUE(transport->closing());
  // ... but when all of it came with the head, the connection can be kept.
  begin();
  EXPECT_EQ(exchange(post("Content-Length: 5\r\n", "hello") + kGet),
            refusal +
                "\r\nno"
                "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
  EXPECT_FALSE(transport->closing());
  // Garbage behind an answer that is on its way takes nothing from the client.
  begin();
  EXPECT_EQ(exchange(post("Transfer-Encoding: chunked\r\n", "garbage\r\n")), refusal + "connection: close\r\n\r\nno");
  EXPECT_TRUE(last().complete);
  EXPECT_TRUE(transport->closing());
}

TEST_F(Http1ServerTest, AnEarlyAnswerReachesAClientThatStopsSending) {
  answer_all(403, "no");
  transport->window = 0;  // the answer cannot leave yet
  transport->peer_sends(post("Content-Length: 500\r\n", "part"));
  transport->peer_ends();
  EXPECT_FALSE(last().aborted);
  transport->window = SIZE_MAX;
  last().stream->close_after();
  session->on_writable();
  transport->request_flush();
  transport->turn();
  EXPECT_TRUE(last().complete);
  EXPECT_NE(transport->take().find("403"), std::string::npos);
}

TEST_F(Http1ServerTest, Continue) {
  const std::string head = post("Expect: 100-continue\r\nContent-Length: 2\r\n");
  transport->peer_sends(head);
  EXPECT_TRUE(last().expect_continue);
  last().stream->send_informational(response(100));
  last().stream->send_informational(response(100));  // the upstream's own; one is enough
  transport->turn();
  EXPECT_EQ(transport->take(), "HTTP/1.1 100 Continue\r\n\r\n");
  transport->peer_sends("hi");
  EXPECT_TRUE(last().ended);
  answer(last(), 200, "");
  transport->turn();
  EXPECT_EQ(transport->take(), kOk);

  transport->peer_sends(kGet);  // was not asked for
  last().stream->send_informational(response(100));
  last().stream->send_informational(response(103));
  transport->turn();
  EXPECT_EQ(transport->take(), "HTTP/1.1 103 Early Hints\r\n\r\n");

  begin();  // HTTP/1.0 knows no 1xx
  transport->peer_sends("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  last().stream->send_informational(response(100));
  last().stream->send_informational(response(103));
  transport->turn();
  EXPECT_EQ(transport->take(), "");
}

TEST_F(Http1ServerTest, Drain) {
  transport->peer_sends(kGet);
  answer(last(), 200, "");
  transport->turn();
  session->drain();  // idle: at once
  EXPECT_TRUE(transport->closing());

  begin();  // busy: after the answer, which says so
  transport->peer_sends(kGet + kGet);
  session->drain();
  EXPECT_FALSE(transport->closing());
  answer(last(), 200, "");
  transport->turn();
  EXPECT_EQ(transport->take(), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_EQ(sink.requests.size(), 2u) << "the request behind it is for the next connection";
  EXPECT_TRUE(transport->closing());

  begin();  // in the middle of a head: that one is still answered
  transport->peer_sends("GET / HTTP/1.1\r\n");
  session->drain();
  answer_all();
  EXPECT_EQ(exchange("Host: a\r\n\r\n"), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
}

TEST_F(Http1ServerTest, ADrainLeavesANewConnectionTimeForItsFirstRequest) {
  session->drain();
  EXPECT_FALSE(transport->closing());
  answer_all();
  EXPECT_EQ(exchange(kGet), "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(transport->closing());

  begin();  // but not for ever
  session->drain();
  transport->pass(kDrainNotice);
  EXPECT_TRUE(transport->closing());
}

TEST_F(Http1ServerTest, CloseAfterAndTheLastRequestOfAConnection) {
  sink.handler = [](RecordedRequest& request) {
    request.stream->close_after();
    answer(request, 200, "");
  };
  const std::string closing = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  EXPECT_EQ(exchange(kGet + kGet), closing);
  EXPECT_TRUE(transport->closing());
  options.requests_max = 2;
  begin();
  answer_all();
  EXPECT_EQ(exchange(kGet + kGet + kGet), kOk + closing);
}

TEST_F(Http1ServerTest, ASinkThatTakesNoInterest) {
  sink.set_events = false;
  EXPECT_EQ(exchange(kGet), "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  EXPECT_TRUE(transport->closing());
}

TEST_F(Http1ServerTest, TheClientGoes) {
  struct {
    const char* name;
    std::string bytes;
    bool half;      // only its sending half
    Reason reason;  // of the abort
  } const cases[] = {
      {"half-closed in the body", post("Content-Length: 5\r\n", "he"), true, Reason::truncated},
      {"reset in the body", post("Content-Length: 5\r\n", "he"), false, Reason::peer_closed},
      {"reset while it waits", kGet, false, Reason::peer_closed},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    transport->peer_sends(c.bytes);
    c.half ? transport->peer_ends() : transport->peer_resets();
    EXPECT_EQ(last().reason, c.reason);
    EXPECT_TRUE(transport->dead());
  }
  begin();  // nothing was begun
  transport->peer_ends();
  EXPECT_TRUE(transport->dead());
  begin();
  transport->peer_sends("GET / HT");
  transport->peer_ends();
  EXPECT_TRUE(transport->dead());
  EXPECT_TRUE(sink.refused.empty());
}

TEST_F(Http1ServerTest, AHalfClosedClientGetsAllItsAnswers) {
  transport->peer_sends(kGet + kGet + "GET /unfinished");
  transport->peer_ends();
  ASSERT_EQ(sink.requests.size(), 1u);
  answer(last(), 200, "");
  transport->turn();
  ASSERT_EQ(sink.requests.size(), 2u);
  answer(last(), 200, "");
  transport->turn();
  EXPECT_EQ(sink.requests.size(), 2u);
  EXPECT_EQ(transport->take(), kOk + kOk);
  EXPECT_TRUE(transport->closing());
}

}  // namespace
}  // namespace gatehouse::http
