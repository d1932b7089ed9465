// The client's session on a transport without a socket: what the upstream may say, and what we do when it says else.
#include "http/http1_client.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/fake_peers.h"

namespace gatehouse::http {
namespace {

using std::chrono::seconds;

RequestHead request(std::string_view method, std::optional<std::uint64_t> length = std::nullopt) {
  RequestHead head;
  head.method = method;
  head.target = "/";
  head.authority = "up";
  head.content_length = length;
  return head;
}

class Http1ClientTest : public testing::Test {
 protected:
  void SetUp() override {
    options.limits = {512, 10, 0, true};
    begin();
  }
  void begin() {
    owner = {};
    transport = std::make_unique<FakeTransport>(clock);
    session = make_http1_client(*transport, owner, options);
    transport->attach(*session);
  }
  // Opens a stream and sends a request that is complete.
  RecordedResponse& ask(std::string_view method = "GET") {
    RecordedResponse& response = *responses.emplace_back(std::make_unique<RecordedResponse>());
    stream = &session->open(response);
    stream->send_head(request(method), End::yes);
    transport->turn();
    return response;
  }
  RecordedResponse& ask_in_part(const RequestHead& head) {
    RecordedResponse& response = *responses.emplace_back(std::make_unique<RecordedResponse>());
    stream = &session->open(response);
    stream->send_head(head, End::no);
    transport->turn();
    return response;
  }
  bool reusable() const { return session->available() == 1 && owner.closed == 0; }

  FakeClock clock;
  RecordingOwner owner;
  Http1ClientOptions options;
  std::unique_ptr<FakeTransport> transport;
  std::unique_ptr<ClientSession> session;
  std::vector<std::unique_ptr<RecordedResponse>> responses;
  ClientStream* stream = nullptr;
};

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
const std::string kNothing = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

TEST_F(Http1ClientTest, FramesTheRequest) {
  struct {
    const char* name;
    RequestHead head;
    End end;
    std::string body, framing;
  } const cases[] = {
      {"GET", request("GET"), End::yes, "", "\r\n"},
      {"GET with a length of zero", request("GET", 0), End::yes, "", "content-length: 0\r\n\r\n"},
      {"POST without content", request("POST"), End::yes, "", "content-length: 0\r\n\r\n"},
      {"DELETE without content", request("DELETE"), End::yes, "", "\r\n"},
      {"a length that never came", request("GET", 5), End::yes, "", "\r\n"},
      {"a known length", request("POST", 5), End::no, "hello", "content-length: 5\r\n\r\nhello"},
      {"an unknown length", request("POST"), End::no, "hello",
       "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
      {"an unknown length of GET", request("GET"), End::no, "", "transfer-encoding: chunked\r\n\r\n0\r\n\r\n"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    RecordedResponse response;
    ClientStream& opened = session->open(response);
    opened.send_head(c.head, c.end);
    if (c.end == End::no) opened.send_body(c.body, End::yes);
    transport->turn();
    EXPECT_EQ(transport->take(), std::string(c.head.method) + " / HTTP/1.1\r\nhost: up\r\n" + c.framing);
    transport->peer_sends(kNothing);
    EXPECT_TRUE(response.ended);
    EXPECT_TRUE(reusable());
  }
}

TEST_F(Http1ClientTest, FramingFieldsOfTheCallerAreIgnored) {
  RequestHead head = request("POST", 2);
  for (const char* name : {"content-length", "transfer-encoding", "connection", "keep-alive", "host"}) {
    head.fields.add(name, "evil");
  }
  head.fields.add("x-kept", "1");
  ask_in_part(head);
  stream->send_body("hi", End::yes);
  transport->turn();
  EXPECT_EQ(transport->take(), "POST / HTTP/1.1\r\nhost: up\r\nx-kept: 1\r\ncontent-length: 2\r\n\r\nhi");
}

TEST_F(Http1ClientTest, ARequestThatBreaksItsLengthEndsTheConnection) {
  ask_in_part(request("POST", 3));
  stream->send_body("hello", End::yes);  // the rest would be the upstream's next request
  transport->turn();
  EXPECT_TRUE(transport->take().ends_with("\r\n\r\nhel"));
  transport->peer_sends(kOk);
  EXPECT_TRUE(responses.back()->ended);
  EXPECT_FALSE(reusable());
  EXPECT_EQ(owner.closed, 1);

  begin();
  ask_in_part(request("POST", 3));
  stream->send_body("he", End::yes);  // the upstream must not wait for more
  transport->turn();
  EXPECT_TRUE(transport->closing());
  transport->peer_resets();
  EXPECT_TRUE(responses.back()->failed);
}

TEST_F(Http1ClientTest, Trailers) {
  Fields trailers;
  trailers.add("x-sum", "1");
  ask_in_part(request("POST"));
  stream->send_body("hi", End::no);
  stream->send_trailers(trailers);
  transport->turn();
  EXPECT_TRUE(transport->take().ends_with("\r\n2\r\nhi\r\n0\r\nx-sum: 1\r\n\r\n"));
  transport->peer_sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: v\r\n\r\n");
  EXPECT_EQ(responses.back()->body, "ok");
  EXPECT_EQ(responses.back()->trailers, "x-t=v;");
  EXPECT_TRUE(reusable());
  stream->send_trailers(trailers);  // the stream is gone: nothing leaves on a connection that is idle
  stream->send_body("x", End::yes);
  transport->turn();
  EXPECT_EQ(transport->take(), "");
}

TEST_F(Http1ClientTest, ResponsesAndWhetherTheConnectionCanCarryAnother) {
  struct {
    const char* name;
    std::string method, bytes;
    int status;
    std::string body;
    bool reusable;
  } const cases[] = {
      {"a length", "GET", kOk, 200, "hello", true},
      {"a length of zero", "GET", kNothing, 200, "", true},
      {"chunks", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200, "hello",
       true},
      {"to HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", true},
      {"204", "GET", "HTTP/1.1 204 No Content\r\n\r\n", 204, "", true},
      {"304", "GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", 304, "", true},
      {"close", "GET", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
      {"HTTP/1.0", "GET", "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "hello", false},
      {"bytes behind it", "GET", kOk + "x", 200, "hello", false},
      {"a second response behind it", "GET", kOk + kOk, 200, "hello", false},
      {"bytes behind a response to HEAD", "HEAD", kOk, 200, "", false},
      {"bytes behind 204", "GET", "HTTP/1.1 204 No Content\r\n\r\nhello", 204, "", false},
      {"bytes behind the last chunk", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nx", 200, "",
       false},
  };
  for (const auto& c : cases) {
    for (const std::size_t step : {std::size_t{1}, std::size_t{3}, std::string::npos}) {
      SCOPED_TRACE(c.name);
      begin();
      RecordedResponse& response = ask(c.method);
      for (std::size_t at = 0; at < c.bytes.size(); at += std::min(step, c.bytes.size())) {
        transport->peer_sends(c.bytes.substr(at, step));
      }
      EXPECT_EQ(response.status, c.status);
      EXPECT_EQ(response.body, c.body);
      EXPECT_TRUE(response.ended);
      EXPECT_EQ(reusable(), c.reusable);
      EXPECT_EQ(owner.closed, c.reusable ? 0 : 1);
      EXPECT_EQ(transport->dead(), !c.reusable);
    }
  }
}

TEST_F(Http1ClientTest, ResponsesThatFail) {
  struct {
    const char* name;
    std::string bytes;
    bool ends;  // then the upstream closes
    FailureKind kind;
    Reason reason;
    bool begun;
  } const cases[] = {
      {"garbage", "SSH-2.0-OpenSSH\r\n", false, FailureKind::bad_response, Reason::bad_status_line, false},
      {"two framings", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false,
       FailureKind::bad_response, Reason::te_and_cl, false},
      {"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n", false, FailureKind::bad_response,
       Reason::bad_chunk, true},
      {"a bad trailer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", false,
       FailureKind::bad_response, Reason::bad_trailer, true},
      {"a head too large", "HTTP/1.1 200 OK\r\nx: " + std::string(600, 'x'), false, FailureKind::bad_response,
       Reason::header_too_large, false},
      {"101 that nobody asked for", "HTTP/1.1 101 Up\r\nUpgrade: websocket\r\n\r\n", false, FailureKind::bad_response,
       Reason::bad_upgrade, false},
      {"nothing", "", true, FailureKind::reset, Reason::peer_closed, false},
      {"half a head", "HTTP/1.1 200", true, FailureKind::reset, Reason::truncated, false},
      {"half a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", true, FailureKind::reset, Reason::truncated,
       true},
      {"half the chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", true,
       FailureKind::reset, Reason::truncated, true},
      {"no last line", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", true, FailureKind::reset,
       Reason::truncated, true},
      {"only 100", "HTTP/1.1 100 Continue\r\n\r\n", true, FailureKind::reset, Reason::peer_closed, false},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    begin();
    RecordedResponse& response = ask();
    if (!c.bytes.empty()) transport->peer_sends(c.bytes);
    if (c.ends) transport->peer_ends();
    ASSERT_TRUE(response.failed);
    EXPECT_EQ(response.failure.kind, c.kind);
    EXPECT_EQ(response.failure.reason, c.reason) << reason_code(response.failure.reason);
    EXPECT_EQ(response.failure.response_begun, c.begun);
    EXPECT_FALSE(response.failure.request_unseen);
    EXPECT_EQ(owner.closed, 1);
    EXPECT_EQ(session->available(), 0u);
    EXPECT_TRUE(transport->dead());
  }
}

TEST_F(Http1ClientTest, UntilTheConnectionCloses) {
  RecordedResponse& response = ask();
  transport->peer_sends("HTTP/1.1 200 OK\r\n\r\nhel");
  transport->peer_sends("lo");
  EXPECT_FALSE(response.ended);
  transport->peer_ends();
  EXPECT_TRUE(response.ended);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(owner.closed, 1);
  EXPECT_EQ(owner.available, 0);
  // A reset is no end.
  begin();
  RecordedResponse& cut = ask();
  transport->peer_sends("HTTP/1.1 200 OK\r\n\r\nhel");
  transport->peer_resets();
  EXPECT_TRUE(cut.failed);
  EXPECT_TRUE(cut.failure.response_begun);
}

TEST_F(Http1ClientTest, NothingWasSentWhenThereWasNoConnection) {
  for (const FailureKind kind : {FailureKind::connect, FailureKind::connect_timeout, FailureKind::tls}) {
    begin();
    RecordedResponse& response = ask();
    transport->failure_kind = kind;
    transport->peer_resets();
    EXPECT_EQ(response.failure.kind, kind);
    EXPECT_TRUE(response.failure.request_unseen);
  }
}

TEST_F(Http1ClientTest, UnsolicitedResponses) {
  for (const std::string& bytes : {kOk, std::string("HTTP/1.1 408 Request Timeout\r\n\r\n"), std::string("x")}) {
    begin();
    ask();
    transport->peer_sends(kNothing);
    ASSERT_TRUE(reusable());
    transport->peer_sends(bytes);  // between requests
    EXPECT_EQ(owner.closed, 1);
    EXPECT_EQ(session->available(), 0u);
  }
  begin();  // between the opening of a stream and its head: it isn't this one's answer, and nothing was sent
  RecordedResponse response;
  session->open(response);
  transport->peer_sends(kOk);
  EXPECT_TRUE(response.failed);
  EXPECT_EQ(response.status, 0);
  EXPECT_TRUE(response.failure.request_unseen);
}

TEST_F(Http1ClientTest, InformationalResponses) {
  RecordedResponse& response = ask();
  transport->peer_sends("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + kOk);
  EXPECT_EQ(response.informational, (std::vector{100, 103}));
  EXPECT_EQ(response.body, "hello");
  EXPECT_TRUE(reusable());
  // A flood of them ends.
  begin();
  RecordedResponse& flooded = ask();
  for (int i = 0; i < 17; ++i) {
    ASSERT_FALSE(flooded.failed) << i;
    transport->peer_sends("HTTP/1.1 102 Processing\r\n\r\n");
  }
  EXPECT_EQ(flooded.failure.kind, FailureKind::bad_response);
  // But each request has its own count.
  begin();
  for (int i = 0; i < 4; ++i) {
    RecordedResponse& one = ask();
    for (int j = 0; j < 10; ++j) transport->peer_sends("HTTP/1.1 102 Processing\r\n\r\n");
    transport->peer_sends(kOk);
    EXPECT_TRUE(one.ended);
  }
}

TEST_F(Http1ClientTest, AnAnswerBeforeTheRequestsEnd) {
  RecordedResponse& response = ask_in_part(request("POST"));
  stream->send_body("part", End::no);
  transport->turn();
  transport->take();
  transport->peer_sends(kOk);
  EXPECT_TRUE(response.ended);
  EXPECT_EQ(owner.closed, 1);
  EXPECT_TRUE(transport->dead());
  // Said, but not yet on the wire.
  begin();
  RecordedResponse& early = ask_in_part(request("POST"));
  transport->window = 10;
  stream->send_body(std::string(100, 'x'), End::yes);
  transport->turn();
  transport->peer_sends(kOk);
  EXPECT_TRUE(early.ended);
  EXPECT_EQ(owner.closed, 1);
  // An answer that has begun does not stop the request.
  begin();
  RecordedResponse& both = ask_in_part(request("POST"));
  transport->take();
  transport->peer_sends("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
  stream->send_body("part", End::yes);
  transport->turn();
  EXPECT_EQ(transport->take(), "4\r\npart\r\n0\r\n\r\n");
  transport->peer_sends("lo");
  EXPECT_TRUE(both.ended);
  EXPECT_TRUE(reusable());
}

TEST_F(Http1ClientTest, IdleConnections) {
  ask();
  EXPECT_FALSE(transport->has_deadline()) << "a request's time is the gateway's business";
  transport->peer_sends(kNothing);
  EXPECT_EQ(owner.available, 1);
  transport->pass(options.idle_timeout - seconds(1));
  EXPECT_TRUE(reusable());
  transport->pass(seconds(2));
  EXPECT_EQ(owner.closed, 1);
  begin();
  ask();
  transport->peer_sends(kNothing);
  transport->peer_ends();
  EXPECT_EQ(owner.closed, 1);
}

TEST_F(Http1ClientTest, CloseWhenIdle) {
  session->close_when_idle();
  EXPECT_EQ(owner.closed, 1);
  begin();
  RecordedResponse& response = ask();
  session->close_when_idle();
  EXPECT_EQ(owner.closed, 0);
  EXPECT_EQ(session->active(), 1u);
  transport->peer_sends(kOk);
  EXPECT_TRUE(response.ended);
  EXPECT_EQ(owner.closed, 1);
}

TEST_F(Http1ClientTest, TheOwnerMayOpenTheNextStreamAtOnce) {
  RecordedResponse second;
  owner.available_hook = [&](ClientConnection& connection) {
    owner.available_hook = nullptr;
    connection.open(second).send_head(request("GET"), End::yes);
  };
  ask();
  transport->take();
  transport->peer_sends(kOk);
  EXPECT_EQ(transport->take(), "GET / HTTP/1.1\r\nhost: up\r\n\r\n");
  transport->peer_sends(kOk);
  EXPECT_EQ(second.body, "hello");
}

TEST_F(Http1ClientTest, APauseEndsWithItsResponse) {
  ask();
  stream->pause_reading();
  stream->resume_reading();
  responses.back()->head_hook = [this] { stream->pause_reading(); };
  transport->peer_sends(kOk);
  EXPECT_FALSE(transport->paused());
}

}  // namespace
}  // namespace gatehouse::http
