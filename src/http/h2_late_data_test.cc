// DATA of streams that are gone: what was on its way is free, what nobody can have sent in good faith is a flood.

#include "http/h2_late_data.h"

#include <gtest/gtest.h>

#include "http/h2_server.h"
#include "http/h2_testing.h"

namespace gatehouse::http {
namespace {

using namespace testing;
using namespace std::chrono_literals;

std::uint32_t odd(int i) { return static_cast<std::uint32_t>(2 * i + 1); }

std::string joined(int times, const std::string& piece) {
  std::string out;
  for (int i = 0; i < times; ++i) out += piece;
  return out;
}

TEST(FrameScanner, EverySplitFindsTheSameHeads) {
  const std::string input = "preface" + settings() + headers(1, post()) + data(1, "some content") + data(1, "") +
                            data(0x7fffffff, std::string(300, 'x'), kEndStream) + frame(0xbe, 0xff, 0, "junk");
  const auto scan = [](const std::vector<std::string_view>& pieces) {
    FrameScanner scanner(7);
    std::string seen;
    FrameHead head;
    for (std::string_view piece : pieces) {
      while (scanner.next(piece, head)) {
        seen += std::to_string(head.type) + " " + std::to_string(head.flags) + " " + std::to_string(head.stream_id) +
                " " + std::to_string(head.length) + " before " + std::to_string(piece.size()) + "\n";
      }
      EXPECT_TRUE(piece.empty());
    }
    return seen;
  };
  const auto without_rest = [](std::string seen) {
    for (std::size_t at; (at = seen.find(" before ")) != std::string::npos;) {
      seen.erase(at, seen.find('\n', at) - at);
    }
    return seen;
  };
  const std::string_view all = input;
  const std::string whole = scan({all});
  EXPECT_NE(whole.find("0 1 2147483647 300 before 313\n190 255 0 4 before 4\n"), std::string::npos) << whole;
  for (std::size_t i = 0; i <= all.size(); ++i) {
    for (std::size_t j = i; j <= all.size(); ++j) {
      ASSERT_EQ(without_rest(scan({all.substr(0, i), all.substr(i, j - i), all.substr(j)})), without_rest(whole))
          << i << ", " << j;
    }
  }
}

TEST(LateData, OwesWhatTheWindowLet) {
  LateData late(2);
  EXPECT_FALSE(late.admit(1, 1, false)) << "nothing was owed";
  late.expect(1, 10);
  EXPECT_TRUE(late.admit(1, 4, false));
  EXPECT_FALSE(late.admit(1, 0, false)) << "an empty frame takes no window, and there may be any number";
  EXPECT_FALSE(late.admit(1, 7, false));
  EXPECT_TRUE(late.admit(1, 6, false));
  EXPECT_FALSE(late.admit(1, 1, false));
  EXPECT_TRUE(late.admit(1, 0, true)) << "the end needs no window";
  EXPECT_FALSE(late.admit(1, 0, true)) << "and comes once";
  late.expect(3, -5);  // a window that a smaller setting made negative
  EXPECT_FALSE(late.admit(3, 1, false));
  EXPECT_TRUE(late.admit(3, 0, true));
}

TEST(LateData, HoldsTheLastStreams) {
  LateData late(3);
  for (int i = 0; i < 10; ++i) late.expect(static_cast<std::int32_t>(odd(i)), 8);
  late.expect(static_cast<std::int32_t>(odd(9)), 5);  // again: not one more
  for (int i = 0; i < 7; ++i) EXPECT_FALSE(late.admit(static_cast<std::int32_t>(odd(i)), 1, false)) << i;
  EXPECT_TRUE(late.admit(static_cast<std::int32_t>(odd(7)), 8, false));
  EXPECT_TRUE(late.admit(static_cast<std::int32_t>(odd(8)), 8, false));
  EXPECT_FALSE(late.admit(static_cast<std::int32_t>(odd(9)), 6, false));
  EXPECT_TRUE(late.admit(static_cast<std::int32_t>(odd(9)), 5, false));
}

constexpr std::size_t kWindow = 4096;

struct LateCase {
  const char* name;
  int status;         // of the early answer; 0: the request is aborted
  bool heard;         // the client has taken our reset for two seconds' grace; false: all in one flight
  std::string after;  // behind `POST` of stream 1 with four bytes
  bool flood;
};

class LateDataCases : public ::testing::Test {
 protected:
  // Feeds in the given pieces; says whether the connection was ended, and why.
  static Reason run(const LateCase& c, std::size_t piece) {
    H2ServerOptions options;
    options.stream_window_bytes = kWindow;
    options.flood.idle_frames = {20, 1};
    TestServer server(options);
    server.sink.request_hook = [&](ServerExchange& exchange, const RequestHead& head, End) {
      if (head.method != "POST") return;
      if (c.status == 0) {
        exchange.stream->abort();
        return;
      }
      ResponseHead answer = ok();
      answer.status = c.status;
      exchange.stream->send_head(answer, End::yes);
    };
    server.start();
    server.feed(settings({}, NGHTTP2_FLAG_ACK));
    const auto send = [&](const std::string& bytes) {
      for (std::size_t at = 0; at < bytes.size(); at += piece) server.feed(bytes.substr(at, piece));
    };
    send(headers(1, post(), kEndHeaders) + data(1, "body"));
    if (c.heard) {
      server.transport.advance(3s);
      server.transport.flush();
    }
    send(c.after);
    return server.sink.refused.empty() ? Reason::none : server.sink.refused.back();
  }
};

TEST_F(LateDataCases, HonestAndNot) {
  const std::string ones = joined(1000, data(1, "x"));
  const std::string window = joined(4, data(1, std::string(kWindow / 4, 'x')));
  const std::string nearly = joined(3, data(1, std::string(kWindow / 4, 'x')));
  const std::string put = headers(3, replaced(post(), ":method", "PUT"), kEndHeaders);  // is not answered
  const LateCase cases[] = {
      {"a body in flight behind 204", 204, false, nearly + data(1, "", kEndStream), false},
      {"a body in flight behind 401, in its grace", 401, false, nearly + data(1, "", kEndStream), false},
      {"a window's worth behind 413's reset", 413, true, window + data(1, "", kEndStream), false},
      {"a window's worth behind 429's reset, in small frames", 429, true, ones, false},
      {"a window's worth behind an abort", 0, false, nearly + data(1, "end", kEndStream), false},
      {"some frames too many are no flood", 413, true, window + joined(10, data(1, "x")), false},
      {"window after window behind 413's reset", 413, true, joined(10, window), true},
      {"window after window behind an abort", 0, false, joined(10, window), true},
      {"small frames without end", 0, false, joined(5, ones), true},
      {"empty frames behind an abort", 0, false, joined(30, data(1, "")), true},
      {"ends behind the end", 0, false, joined(30, data(1, "", kEndStream)), true},
      {"padding only, beyond the window", 0, false,
       joined(kWindow / 4 + 30, frame(NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 1, std::string("\x03\0\0\0", 4))), true},
      {"a stream that the client reset", 204, true, put + rst_stream(3) + joined(30, data(3, "x")), true},
  };
  for (const LateCase& c : cases) {
    SCOPED_TRACE(c.name);
    const Reason whole = run(c, c.after.size() + 1);
    EXPECT_EQ(whole == Reason::h2_empty_frame_flood, c.flood) << reason_code(whole);
    for (const std::size_t piece : {1, 2, 3, 5, 8, 9, 10, 13, 1000}) {
      EXPECT_EQ(run(c, piece), whole) << "in pieces of " << piece;
    }
  }
}

// Bodies of streams that were never taken: the client had not heard of the bound, or of our GOAWAY.
TEST(H2LateData, OfStreamsThatWereRefused) {
  for (const bool behind_goaway : {false, true}) {
    SCOPED_TRACE(behind_goaway);
    H2ServerOptions options;
    options.streams_max = behind_goaway ? 16 : 8;
    options.requests_max = behind_goaway ? 8 : 1000;
    options.stream_window_bytes = 65535;
    options.flood.idle_frames = {20, 1};
    TestServer server(options);
    server.start();  // and no ACK of our SETTINGS yet: with it, more streams would be a connection error
    std::string taken, flight;
    for (int i = 0; i < 8; ++i) taken += headers(odd(i), post(), kEndHeaders);
    server.feed(taken);
    for (int i = 8; i < 16; ++i) flight += headers(odd(i), post(), kEndHeaders);
    for (int round = 0; round < 6; ++round) {
      for (int i = 15; i >= 8; --i) flight += data(odd(i), std::string(10000, 'x'));
    }
    for (int i = 8; i < 16; ++i) flight += data(odd(i), "", kEndStream);
    server.feed(flight);
    EXPECT_FALSE(server.transport.closing);
    server.feed(joined(30, data(odd(8), "x")));
    EXPECT_TRUE(server.transport.closing);
    ASSERT_FALSE(server.sink.refused.empty());
    EXPECT_EQ(server.sink.refused.back(), Reason::h2_empty_frame_flood);
  }
}

}  // namespace
}  // namespace gatehouse::http
