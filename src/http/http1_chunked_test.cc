// Chunked bodies (RFC 9112 §7.1): what is content, what is refused, and that no split changes either.
#include <gtest/gtest.h>

#include <string>

#include "http/fake_peers.h"
#include "http/http1_parser.h"

namespace gatehouse::http {
namespace {

using namespace std::string_literals;

struct Outcome {
  std::string content, trailers, rest;
  bool done = false;
  Reason reason = Reason::none;
  bool operator==(const Outcome&) const = default;
};

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << (outcome.done                     ? "done"
           : outcome.reason == Reason::none ? "open"
                                            : reason_code(outcome.reason))
       << " content '" << outcome.content << "' trailers '" << outcome.trailers << "' rest '" << outcome.rest << "'";
}

const HeadLimits& limits() {
  static const HeadLimits instance{64, 3, 0, false};
  return instance;
}

// Feeds one piece, in memory of its own; false once the decoder has said its last.
bool feed(ChunkedDecoder& decoder, std::string_view piece, Outcome& outcome) {
  const std::unique_ptr<char[]> exact(new char[piece.size()]);
  std::copy(piece.begin(), piece.end(), exact.get());
  std::string_view in(exact.get(), piece.size()), chunk;
  for (;;) {
    switch (decoder.next(in, chunk)) {
      case ChunkedDecoder::Status::need_more: EXPECT_TRUE(in.empty()); return true;
      case ChunkedDecoder::Status::data:
        EXPECT_FALSE(chunk.empty());
        outcome.content.append(chunk);
        break;
      case ChunkedDecoder::Status::done:
        outcome.done = true;
        outcome.trailers = to_text(decoder.trailers());
        outcome.rest = in;
        return false;
      case ChunkedDecoder::Status::refused: outcome.reason = decoder.reason(); return false;
    }
  }
}

Outcome decode(std::string_view bytes, std::size_t split_at, std::size_t step) {
  ChunkedDecoder decoder(limits());
  Outcome outcome;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t take = std::min(at == 0 ? split_at : step, bytes.size() - at);
    const bool more = feed(decoder, bytes.substr(at, take), outcome);
    at += take;
    if (!more) {
      if (outcome.done) outcome.rest.append(bytes.substr(at));
      break;
    }
  }
  return outcome;
}

struct Case {
  const char* name;
  std::string bytes;
  Outcome outcome;
};

TEST(Http1Chunked, ContentTrailersAndRefusals) {
  const Outcome hello{"hello", "", "", true};
  const auto refused = [](Reason reason, std::string content = "") {
    return Outcome{std::move(content), "", "", false, reason};
  };
  const std::string last = "0\r\n\r\n";
  const Case cases[] = {
      {"one chunk", "5\r\nhello\r\n" + last, hello},
      {"several chunks", "2\r\nhe\r\n1\r\nl\r\n2\r\nlo\r\n" + last, hello},
      {"nothing", last, {"", "", "", true}},
      {"hexadecimal in both cases",
       "A\r\n0123456789\r\na\r\n0123456789\r\n" + last,
       {"01234567890123456789", "", "", true}},
      {"leading zeros", "005\r\nhello\r\n000\r\n\r\n", hello},
      {"CRLF in the content", "4\r\n\r\n\r\n\r\n" + last, {"\r\n\r\n", "", "", true}},
      {"what follows is not ours",
       "5\r\nhello\r\n" + last + "GET / HTTP/1.1\r\n",
       {"hello", "", "GET / HTTP/1.1\r\n", true}},
      {"an extension", "5;a=b\r\nhello\r\n" + last, hello},
      {"an extension with a tab and quotes", "5;\ta=\"b;c\"\r\nhello\r\n" + last, hello},
      {"extensions of 255 bytes", "5;" + std::string(255, 'x') + "\r\nhello\r\n" + last, hello},
      {"extensions of 256 bytes", "5;" + std::string(256, 'x') + "\r\nhello\r\n" + last, hello},
      {"extensions of 257 bytes", "5;" + std::string(257, 'x') + "\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"fifteen digits", "000000000000005\r\nhello\r\n" + last, hello},
      {"sixteen digits", "0000000000000005\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"an overflow", "FFFFFFFFFFFFFFFFF\r\nhello", refused(Reason::bad_chunk)},
      {"an empty size", "\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"an extension without a size", ";a\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a plus sign", "+5\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a minus sign", "-5\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a prefix", "0x5\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"an underscore", "1_0\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a space before the size", " 5\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      // Some servers pad sizes with spaces; some clients and proxies stop at them, others don't.
      {"a space behind the size", "5 \r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a space before the extension", "5 ;a\r\nhello\r\n" + last, refused(Reason::bad_chunk)},
      {"a NUL in an extension", "5;a\0\r\nhello\r\n"s + last, refused(Reason::bad_chunk)},
      {"a bare LF behind the size", "5\nhello\r\n" + last, refused(Reason::bare_lf)},
      {"a bare LF behind an extension", "5;a\nhello\r\n" + last, refused(Reason::bare_lf)},
      {"a bare CR behind the size", "5\rhello\r\n" + last, refused(Reason::bare_cr)},
      {"a bare CR in an extension", "5;a\rb\r\nhello\r\n" + last, refused(Reason::bare_cr)},
      {"a bare LF for a size", "\n5\r\nhello\r\n" + last, refused(Reason::bare_lf)},
      {"a chunk longer than its size", "4\r\nhello\r\n" + last, refused(Reason::bad_chunk, "hell")},
      {"a chunk shorter than its size", "6\r\nhello\r\n" + last, refused(Reason::bare_lf, "hello\r")},
      {"a bare LF behind the content", "5\r\nhello\n" + last, refused(Reason::bare_lf, "hello")},
      {"a bare CR behind the content", "5\r\nhello\r0\r\n\r\n", refused(Reason::bare_cr, "hello")},
      {"a trailer", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\nrest", {"hello", "x-sum=1;", "rest", true}},
      {"as many trailers as fit", "0\r\na: 1\r\nb: 2\r\nc: 3\r\n\r\n", {"", "a=1;b=2;c=3;", "", true}},
      {"one too many", "0\r\na: 1\r\nb: 2\r\nc: 3\r\nd: 4\r\n\r\n", refused(Reason::too_many_headers)},
      {"trailers that fill their bound",
       "0\r\na: " + std::string(57, 'v') + "\r\n\r\n",
       {"", "a=" + std::string(57, 'v') + ";", "", true}},
      {"trailers one byte beyond", "0\r\na: " + std::string(58, 'v') + "\r\n\r\n", refused(Reason::header_too_large)},
      {"a trailer that frames", "0\r\nContent-Length: 5\r\n\r\n", refused(Reason::bad_trailer)},
      {"a trailer that chunks", "0\r\ntransfer-encoding: chunked\r\n\r\n", refused(Reason::bad_trailer)},
      {"a trailer that routes", "0\r\nHost: b\r\n\r\n", refused(Reason::bad_trailer)},
      {"a trailer that authenticates", "0\r\nAuthorization: x\r\n\r\n", refused(Reason::bad_trailer)},
      {"a trailer that forges", "0\r\nX-Forwarded-For: ::1\r\n\r\n", refused(Reason::bad_trailer)},
      {"a trailer of ours", "0\r\nX-Gatehouse-User: x\r\n\r\n", refused(Reason::bad_trailer)},
      {"a bare LF in the trailers", "0\r\na: 1\n\r\n", refused(Reason::bare_lf)},
      {"a bare LF for the last line", "0\r\n\n", refused(Reason::bare_lf)},
      {"a folded trailer", "0\r\na: 1\r\n 2\r\n\r\n", refused(Reason::obs_fold)},
      {"a trailer with an underscore", "0\r\na_b: 1\r\n\r\n", refused(Reason::underscore_in_name)},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(decode(c.bytes, c.bytes.size(), 1), c.outcome);
    for (std::size_t split = 1; split < c.bytes.size(); ++split) {
      ASSERT_EQ(decode(c.bytes, split, c.bytes.size()), c.outcome) << "split at " << split;
    }
    for (std::size_t step : {1, 2, 3, 7}) ASSERT_EQ(decode(c.bytes, step, step), c.outcome) << "in steps of " << step;
  }
}

TEST(Http1Chunked, ExtensionsAreBoundedOverTheWholeMessage) {
  ChunkedDecoder decoder(limits());
  Outcome outcome;
  int lines = 0;
  while (feed(decoder, "1;" + std::string(200, 'x') + "\r\nA\r\n", outcome)) ++lines;
  EXPECT_EQ(outcome.reason, Reason::bad_chunk);
  EXPECT_EQ(lines, 16 * 256 / 200);
}

TEST(Http1Chunked, ARefusalIsFinal) {
  ChunkedDecoder decoder(limits());
  Outcome outcome;
  ASSERT_FALSE(feed(decoder, "x", outcome));
  ASSERT_FALSE(feed(decoder, "5\r\nhello\r\n0\r\n\r\n", outcome));
  EXPECT_EQ(outcome.reason, Reason::bad_chunk);
  EXPECT_EQ(outcome.content, "");
}

TEST(Http1Chunked, NothingIsReadBehindTheEnd) {
  ChunkedDecoder decoder(limits());
  Outcome outcome;
  ASSERT_FALSE(feed(decoder, "0\r\n\r\n", outcome));
  ASSERT_FALSE(feed(decoder, "5\r\nhello\r\n", outcome));
  EXPECT_EQ(outcome.rest, "5\r\nhello\r\n");
  EXPECT_EQ(outcome.content, "");
}

}  // namespace
}  // namespace gatehouse::http
