// The server's session against time: slow heads, slow bodies, clients that do not read, and back-pressure.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "http/fake_peers.h"
#include "http/http1_server.h"

namespace gatehouse::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

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

class Http1ServerTimeTest : public testing::Test {
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

TEST_F(Http1ServerTimeTest, AClientThatWaitsFor100IsNotSlow) {
  transport->peer_sends(post("Expect: 100-continue\r\nContent-Length: 900\r\n"));
  transport->pass(seconds(20));
  EXPECT_FALSE(last().aborted);
  last().stream->send_informational(response(100));
  transport->turn();
  transport->pass(seconds(4));
  EXPECT_FALSE(last().aborted);
  transport->pass(seconds(2));
  EXPECT_EQ(last().reason, Reason::body_too_slow);
}

TEST_F(Http1ServerTimeTest, Timeouts) {
  // nothing at all
  transport->pass(options.header_timeout - milliseconds(1));
  EXPECT_FALSE(transport->closing());
  transport->pass(milliseconds(2));
  EXPECT_TRUE(transport->closing());
  EXPECT_EQ(transport->take(), "");
  EXPECT_TRUE(sink.refused.empty());
  // a head that trickles in: each byte does not give it more time
  begin();
  transport->peer_sends("GET / HT");
  transport->pass(seconds(6));
  transport->peer_sends("TP/1.1\r\n");
  transport->pass(seconds(5));
  EXPECT_EQ(sink.refused, std::vector{Reason::header_timeout});
  EXPECT_EQ(transport->take().substr(0, 12), "HTTP/1.1 408");
  // between requests
  begin();
  answer_all();
  exchange(kGet);
  transport->pass(options.idle_timeout - seconds(1));
  EXPECT_EQ(exchange(kGet), kOk);
  transport->pass(options.idle_timeout + seconds(1));
  EXPECT_TRUE(transport->closing());
  EXPECT_EQ(transport->take(), "");
  // while we work there is no limit of the codec's
  begin();
  sink.handler = {};
  transport->peer_sends(kGet);
  transport->pass(10 * options.idle_timeout);
  EXPECT_FALSE(last().aborted);
}

TEST_F(Http1ServerTimeTest, SlowBodies) {
  options.body_min_rate = 10;
  begin();
  transport->peer_sends(post("Content-Length: 900\r\n"));
  for (int i = 0; i < 4; ++i) {
    transport->pass(seconds(4));
    transport->peer_sends(std::string(60, 'x'));
  }
  EXPECT_FALSE(last().aborted);
  last().stream->pause_reading();  // our own slowness is not the client's
  transport->pass(seconds(60));
  EXPECT_FALSE(last().aborted);
  last().stream->resume_reading();
  transport->pass(seconds(4));
  EXPECT_FALSE(last().aborted) << "the clock began anew";
  transport->pass(seconds(2));
  EXPECT_EQ(last().reason, Reason::body_too_slow);
  EXPECT_EQ(transport->take().substr(0, 12), "HTTP/1.1 408");
}

TEST_F(Http1ServerTimeTest, APauseEndsWithItsRequest) {
  sink.handler = [](RecordedRequest& request) {
    request.stream->pause_reading();
    answer(request, 200, "");
  };
  exchange(kGet);
  EXPECT_FALSE(transport->paused());
  sink.handler = {};
  transport->peer_sends(post("Content-Length: 900\r\n"));
  transport->pass(seconds(6));
  EXPECT_EQ(last().reason, Reason::body_too_slow);
}

TEST_F(Http1ServerTimeTest, AClientThatDoesNotRead) {
  transport->window = 100;
  transport->peer_sends(kGet);
  last().stream->send_head(response(200, 1000), End::no);
  last().stream->send_body(std::string(1000, 'x'), End::yes);
  transport->turn();
  transport->pass(options.idle_timeout - seconds(1));
  transport->window = 1;
  transport->request_flush();
  transport->turn();
  transport->pass(options.idle_timeout);
  EXPECT_FALSE(last().aborted) << "a byte is progress";
  transport->pass(2 * options.idle_timeout);
  EXPECT_EQ(last().reason, Reason::body_too_slow);
  EXPECT_TRUE(transport->dead());
}

// Both ends wait for each other: the client for us to read, we for the client. Only time ends that.
TEST_F(Http1ServerTimeTest, AClientThatDoesNotReadWhileItsBodyIsPaused) {
  options.body_bytes = 1 << 20;
  begin();
  transport->window = 0;
  transport->peer_sends(post("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n"));
  last().stream->send_head(response(200), End::no);
  last().stream->send_body(std::string(1000, 'x'), End::no);
  last().stream->pause_reading();
  transport->turn();
  transport->pass(options.idle_timeout + seconds(11));
  EXPECT_EQ(last().reason, Reason::body_too_slow);
}

TEST_F(Http1ServerTimeTest, BackPressure) {
  transport->window = 0;
  transport->peer_sends(kGet);
  last().stream->send_head(response(200), End::no);
  last().stream->send_body(std::string(kHighWater, 'x'), End::no);
  EXPECT_GE(last().stream->buffered(), kHighWater);
  transport->turn();
  EXPECT_EQ(last().drained, 0);
  transport->window = kHighWater - kLowWater + 1000;
  transport->request_flush();
  transport->turn();
  EXPECT_EQ(last().drained, 1);
  EXPECT_FALSE(last().complete);
}

}  // namespace
}  // namespace gatehouse::http
