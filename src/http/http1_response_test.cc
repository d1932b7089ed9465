// Responses of an upstream: the same strictness, and how a message ends (RFC 9112 §6.3).
#include <gtest/gtest.h>

#include <string>

#include "http/fake_peers.h"
#include "http/http1_parser.h"

namespace gatehouse::http {
namespace {

using namespace std::string_literals;

struct Outcome {
  ParseStatus status;
  Reason reason;
  std::size_t consumed;
  std::string head;
  bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view bytes, bool to_head_request) {
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);
  std::copy(bytes.begin(), bytes.end(), exact.get());
  Arena arena;
  Http1Response response;
  const HeadLimits limits{400, 5, 0, true};
  const ParseResult result = parse_response_head({exact.get(), bytes.size()}, limits, to_head_request, arena, response);
  std::string text;
  if (result.status == ParseStatus::complete) {
    constexpr const char* kFraming[] = {"none", "length", "chunked", "until close"};
    text = std::to_string(response.head.status) + " " + kFraming[static_cast<int>(response.framing)];
    if (response.head.content_length) text += " " + std::to_string(*response.head.content_length);
    if (!response.keep_alive) text += " close";
  }
  return {result.status, result.reason, result.consumed, text};
}

struct Case {
  const char* name;
  std::string bytes;
  Reason reason = Reason::none;
  std::string head = {};
  bool to_head_request = false;
};

void run(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Outcome whole = parse(c.bytes, c.to_head_request);
    EXPECT_EQ(whole.reason, c.reason) << reason_code(whole.reason);
    EXPECT_EQ(whole.status, c.reason == Reason::none ? ParseStatus::complete : ParseStatus::refused);
    EXPECT_EQ(whole.head, c.head);
    for (std::size_t n = 0; n < c.bytes.size(); ++n) {
      const Outcome part = parse(std::string_view(c.bytes).substr(0, n), c.to_head_request);
      ASSERT_TRUE(part.status == ParseStatus::incomplete || part == whole) << "of the first " << n << " bytes";
    }
  }
}

std::string ok(const std::string& fields) { return "HTTP/1.1 200 OK\r\n" + fields + "\r\n"; }
std::string status(const std::string& status_line, const std::string& fields = "Content-Length: 0\r\n") {
  return status_line + "\r\n" + fields + "\r\n";
}

TEST(Http1Response, StatusLine) {
  run({
      {"plain", status("HTTP/1.1 200 OK"), Reason::none, "200 none 0"},
      {"no phrase", status("HTTP/1.1 200 "), Reason::none, "200 none 0"},
      {"no phrase and no space", status("HTTP/1.1 200"), Reason::none, "200 none 0"},
      {"HTTP/1.0", status("HTTP/1.0 200 OK"), Reason::none, "200 none 0 close"},
      {"HTTP/1.0 kept alive", status("HTTP/1.0 200 OK", "Connection: keep-alive\r\nContent-Length: 0\r\n"),
       Reason::none, "200 none 0"},
      {"599", status("HTTP/1.1 599 Odd"), Reason::none, "599 none 0"},
      {"600", status("HTTP/1.1 600 Odd"), Reason::bad_status_line},
      {"099", status("HTTP/1.1 099 Odd"), Reason::bad_status_line},
      {"two digits", status("HTTP/1.1 20 OK"), Reason::bad_status_line},
      {"four digits", status("HTTP/1.1 2000 OK"), Reason::bad_status_line},
      {"a sign", status("HTTP/1.1 +20 OK"), Reason::bad_status_line},
      {"two spaces", status("HTTP/1.1  200 OK"), Reason::bad_status_line},
      {"another version", status("HTTP/2 200 OK"), Reason::bad_status_line},
      {"another protocol", status("ICY 200 OK"), Reason::bad_status_line},
      {"an empty line before it", "\r\n" + status("HTTP/1.1 200 OK"), Reason::bad_status_line},
      {"a body that was not asked for", "<html>", Reason::bad_status_line},
      {"a NUL in the phrase", status("HTTP/1.1 200 O\0K"s), Reason::control_byte},
      {"a bare LF behind it", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Reason::bare_lf},
      {"a bare CR behind it", "HTTP/1.1 200 OK\rContent-Length: 0\r\n\r\n", Reason::bare_cr},
  });
}

TEST(Http1Response, Fields) {
  run({
      {"an underscore is the upstream's choice", ok("x_y: 1\r\nContent-Length: 0\r\n"), Reason::none, "200 none 0"},
      {"not in a name that frames", ok("Content_Length: 0\r\n"), Reason::underscore_in_name},
      {"obs-fold", ok("X: a\r\n b\r\nContent-Length: 0\r\n"), Reason::obs_fold},
      {"a bare LF", ok("X: a\nContent-Length: 0\r\n"), Reason::bare_lf},
      {"a control byte", ok("X: \x01\r\nContent-Length: 0\r\n"), Reason::control_byte},
      {"a space before the colon", ok("Content-Length : 0\r\n"), Reason::space_before_colon},
      {"no colon", ok("Content-Length\r\n"), Reason::missing_colon},
      {"as many as fit", ok("a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\nContent-Length: 0\r\n"), Reason::none, "200 none 0"},
      {"one too many", ok("a: 1\r\nb: 1\r\nc: 1\r\nd: 1\r\ne: 1\r\nContent-Length: 0\r\n"), Reason::too_many_headers},
      {"too large", ok("a: " + std::string(400, 'v') + "\r\n"), Reason::header_too_large},
  });
}

TEST(Http1Response, WhereTheMessageEnds) {
  run({
      {"at a length", ok("Content-Length: 5\r\n"), Reason::none, "200 length 5"},
      {"at the last chunk", ok("Transfer-Encoding: chunked\r\n"), Reason::none, "200 chunked"},
      {"with the connection", ok(""), Reason::none, "200 until close close"},
      {"Connection: close", ok("Connection: close\r\nContent-Length: 5\r\n"), Reason::none, "200 length 5 close"},
      {"an answer to HEAD", ok("Content-Length: 5\r\n"), Reason::none, "200 none 5", true},
      {"an answer to HEAD without a length", ok(""), Reason::none, "200 none", true},
      {"an answer to HEAD, chunked", ok("Transfer-Encoding: chunked\r\n"), Reason::none, "200 none", true},
      {"204", status("HTTP/1.1 204 No Content", ""), Reason::none, "204 none"},
      {"204 with a length of zero", status("HTTP/1.1 204 No Content"), Reason::none, "204 none 0"},
      {"204 with content", status("HTTP/1.1 204 No Content", "Content-Length: 5\r\n"), Reason::bad_content_length},
      {"204 with chunks", status("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n"),
       Reason::bad_transfer_encoding},
      {"304 with the length it would have", status("HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n"), Reason::none,
       "304 none 5"},
      {"100", status("HTTP/1.1 100 Continue", ""), Reason::none, "100 none"},
      {"100 with content", status("HTTP/1.1 100 Continue", "Content-Length: 5\r\n"), Reason::bad_content_length},
      {"101 with chunks", status("HTTP/1.1 101 Up", "Transfer-Encoding: chunked\r\n"), Reason::bad_transfer_encoding},
      {"both", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Reason::te_and_cl},
      {"two lengths", ok("Content-Length: 5\r\nContent-Length: 5\r\n"), Reason::duplicate_content_length},
      {"a list of lengths", ok("Content-Length: 5, 5\r\n"), Reason::bad_content_length},
      {"a negative length", ok("Content-Length: -1\r\n"), Reason::bad_content_length},
      {"gzip, chunked", ok("Transfer-Encoding: gzip, chunked\r\n"), Reason::bad_transfer_encoding},
      {"identity", ok("Transfer-Encoding: identity\r\n"), Reason::bad_transfer_encoding},
      {"chunks in HTTP/1.0", status("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n"), Reason::te_in_http10},
      {"even to HEAD the framing must be sound", ok("Content-Length: x\r\n"), Reason::bad_content_length, {}, true},
  });
}

}  // namespace
}  // namespace gatehouse::http
