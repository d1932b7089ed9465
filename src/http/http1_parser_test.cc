// Requests. The table follows the list of what is refused in docs/strictness.md; the cases that are accepted stand
// beside the refused ones that differ from them by a byte.
#include "http/http1_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "http/fake_peers.h"

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

void PrintTo(const Outcome& outcome, std::ostream* out) {
  *out << (outcome.status == ParseStatus::complete     ? "complete"
           : outcome.status == ParseStatus::incomplete ? "incomplete"
                                                       : reason_code(outcome.reason))
       << " after " << outcome.consumed << ": " << outcome.head;
}

std::string render(const Http1Request& request) {
  const RequestHead& head = request.head;
  std::string text(head.method);
  text.append(" ")
      .append(head.target)
      .append(" ")
      .append(version_name(head.version))
      .append(" ")
      .append(head.authority);
  text.append(" ").append(to_text(head.fields));
  if (request.framing == Framing::chunked) text += " chunked";
  if (head.content_length) text += " length=" + std::to_string(*head.content_length);
  if (!request.keep_alive) text += " close";
  if (head.expect_continue) text += " continue";
  if (!request.upgrade.empty()) text.append(" upgrade=").append(request.upgrade);
  return text;
}

Outcome parse(std::string_view bytes, const HeadLimits& limits = {}) {
  const std::unique_ptr<char[]> exact(new char[bytes.size()]);  // a read past the end is one past an allocation
  std::copy(bytes.begin(), bytes.end(), exact.get());
  Arena arena;
  Http1Request request;
  const ParseResult result = parse_request_head({exact.get(), bytes.size()}, limits, arena, request);
  return {result.status, result.reason, result.consumed,
          result.status == ParseStatus::complete ? render(request) : std::string{}};
}

// Whatever has come of the bytes, the verdict is the final one or "more, please": no split can change it.
void expect_same_for_every_prefix(const std::string& bytes, const Outcome& whole, const HeadLimits& limits = {}) {
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const Outcome part = parse(std::string_view(bytes).substr(0, n), limits);
    if (part.status == ParseStatus::incomplete) continue;
    ASSERT_EQ(part, whole) << "of the first " << n << " bytes";
  }
}

struct Case {
  const char* name;
  std::string bytes;
  Reason reason = Reason::none;
  std::string head = {};  // of an accepted one; empty: not looked at
};

void run(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Outcome outcome = parse(c.bytes);
    EXPECT_EQ(outcome.status, c.reason == Reason::none ? ParseStatus::complete : ParseStatus::refused);
    EXPECT_EQ(outcome.reason, c.reason) << reason_code(outcome.reason);
    if (c.reason == Reason::none) {
      EXPECT_EQ(outcome.consumed, c.bytes.size());
    }
    if (!c.head.empty()) {
      EXPECT_EQ(outcome.head, c.head);
    }
    expect_same_for_every_prefix(c.bytes, outcome);
    // What follows belongs to the body or the next request.
    Outcome with_more = parse(c.bytes + "GET /next HTTP/1.1\r\n");
    EXPECT_EQ(with_more, outcome);
  }
}

std::string get(const std::string& fields) { return "GET / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string post(const std::string& fields) { return "POST / HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n"; }
std::string line(const std::string& request_line) { return request_line + "\r\nHost: a\r\n\r\n"; }

TEST(Http1Request, RequestLine) {
  run({
      {"plain", line("GET / HTTP/1.1"), Reason::none, "GET / HTTP/1.1 a "},
      {"a method of 32 bytes", line(std::string(32, 'M') + " / HTTP/1.1")},
      {"a method of 33 bytes", line(std::string(33, 'M') + " / HTTP/1.1"), Reason::bad_method},
      {"a method in lower case is another method", line("get / HTTP/1.1"), Reason::none, "get / HTTP/1.1 a "},
      {"a method that is no token", line("G@T / HTTP/1.1"), Reason::bad_method},
      {"a method with a control byte", line("GE\x01T / HTTP/1.1"), Reason::bad_method},
      {"no method", line(" / HTTP/1.1"), Reason::bad_method},
      {"CONNECT", line("CONNECT a:443 HTTP/1.1"), Reason::bad_method},
      {"CONNECT in origin form", line("CONNECT / HTTP/1.1"), Reason::bad_method},
      {"a tab for the space", line("GET\t/ HTTP/1.1"), Reason::bad_method},
      {"a tab for the second space", line("GET /\tHTTP/1.1"), Reason::control_byte},
      {"two spaces", line("GET  / HTTP/1.1"), Reason::bad_target},
      {"two spaces before the version", line("GET /  HTTP/1.1"), Reason::bad_version},
      {"a space in the target", line("GET /a b HTTP/1.1"), Reason::bad_version},
      {"a space behind the version", line("GET / HTTP/1.1 "), Reason::bad_version},
      {"HTTP/0.9", "GET /\r\n", Reason::bad_request_line},
      {"HTTP/0.9 with a bare LF", "GET /\n", Reason::bare_lf},
      {"a method alone", "GET\r\n", Reason::bad_request_line},
      {"an empty version", "GET / \r\n", Reason::bad_request_line},
      {"HTTP/1.0", line("GET / HTTP/1.0"), Reason::none, "GET / HTTP/1.0 a  close"},
      {"HTTP/1.2", line("GET / HTTP/1.2"), Reason::bad_version},
      {"HTTP/1.10", line("GET / HTTP/1.10"), Reason::bad_version},
      {"HTTP/2.0", line("GET / HTTP/2.0"), Reason::bad_version},
      {"HTTP/01.1", line("GET / HTTP/01.1"), Reason::bad_version},
      {"http/1.1", line("GET / http/1.1"), Reason::bad_version},
      {"HTTP/1,1", line("GET / HTTP/1,1"), Reason::bad_version},
      {"HTTPS/1.1", line("GET / HTTPS/1.1"), Reason::bad_version},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Reason::bad_version},
      {"a bare LF behind it", "GET / HTTP/1.1\nHost: a\r\n\r\n", Reason::bare_lf},
      {"a bare CR behind it", "GET / HTTP/1.1\rHost: a\r\n\r\n", Reason::bare_cr},
      {"a bare CR in the method", line("GE\rT / HTTP/1.1"), Reason::bare_cr},
      {"a bare CR in the target", line("GET /a\rb HTTP/1.1"), Reason::bare_cr},
      {"a handshake of TLS", "\x16\x03\x01\x02"s, Reason::bad_method},
      // RFC 9112 §2.2; nginx and HAProxy forgive any number of them.
      {"an empty line before it", "\r\n" + line("GET / HTTP/1.1"), Reason::none, "GET / HTTP/1.1 a "},
      {"two empty lines before it", "\r\n\r\n" + line("GET / HTTP/1.1"), Reason::bad_request_line},
      {"a bare LF before it", "\n" + line("GET / HTTP/1.1"), Reason::bare_lf},
      {"a bare CR before it", "\r" + line("GET / HTTP/1.1"), Reason::bare_cr},
  });
}

TEST(Http1Request, Target) {
  run({
      {"path and query", line("GET /a/b?c=d&e HTTP/1.1"), Reason::none, "GET /a/b?c=d&e HTTP/1.1 a "},
      {"bytes above ASCII are the canonical form's business", line("GET /\xc3\xa9 HTTP/1.1")},
      {"an at sign in the path", line("GET /@b HTTP/1.1")},
      {"a NUL", line("GET /a\0b HTTP/1.1"s), Reason::control_byte},
      {"a DEL", line("GET /a\x7f HTTP/1.1"), Reason::control_byte},
      {"an ESC", line("GET /a\x1b HTTP/1.1"), Reason::control_byte},
      {"a fragment", line("GET /a#b HTTP/1.1"), Reason::bad_target},
      {"a fragment in absolute form", line("GET http://a#b HTTP/1.1"), Reason::bad_target},
      {"absolute form", line("GET http://a/b?c HTTP/1.1"), Reason::none, "GET /b?c HTTP/1.1 a "},
      {"absolute form in upper case", line("GET HTTP://A/b HTTP/1.1"), Reason::none, "GET /b HTTP/1.1 a "},
      {"absolute form without a path", line("GET http://a HTTP/1.1"), Reason::none, "GET / HTTP/1.1 a "},
      {"absolute form with a query only", line("GET http://a?q HTTP/1.1"), Reason::none, "GET /?q HTTP/1.1 a "},
      // nginx takes the host from the line and ignores the field; HAProxy refuses, as we do.
      {"absolute form for another host", line("GET http://b/ HTTP/1.1"), Reason::authority_mismatch},
      {"absolute form with another port", line("GET http://a:81/ HTTP/1.1"), Reason::authority_mismatch},
      {"absolute form with userinfo", line("GET http://a@a/ HTTP/1.1"), Reason::bad_target},
      {"absolute form without an authority", line("GET http:///b HTTP/1.1"), Reason::bad_target},
      {"a foreign scheme", line("GET ftp://a/ HTTP/1.1"), Reason::bad_target},
      {"no slash", line("GET a HTTP/1.1"), Reason::bad_target},
      {"authority form", line("GET a:80 HTTP/1.1"), Reason::bad_target},
      {"asterisk", line("OPTIONS * HTTP/1.1"), Reason::none, "OPTIONS * HTTP/1.1 a "},
      {"asterisk for GET", line("GET * HTTP/1.1"), Reason::bad_target},
  });
}

TEST(Http1Request, FieldLines) {
  run({
      {"names in lower case", get("X-One: 1\r\nx-two:2\r\n"), Reason::none, "GET / HTTP/1.1 a x-one=1;x-two=2;"},
      {"an empty value", get("X:\r\n"), Reason::none, "GET / HTTP/1.1 a x=;"},
      {"white space around a value", get("X: \t v w \t \r\n"), Reason::none, "GET / HTTP/1.1 a x=v w;"},
      {"a value of white space", get("X: \t \r\n"), Reason::none, "GET / HTTP/1.1 a x=;"},
      {"every other byte of a token", get("!#$%&'*+-.^`|~9: v\r\n"), Reason::none,
       "GET / HTTP/1.1 a !#$%&'*+-.^`|~9=v;"},
      {"bytes above ASCII in a value", get("X: caf\xc3\xa9\r\n"), Reason::none, "GET / HTTP/1.1 a x=caf\xc3\xa9;"},
      {"a colon in a value", get("X: a:b\r\n"), Reason::none, "GET / HTTP/1.1 a x=a:b;"},
      {"a bare LF at the end of a line", get("X: v\n"), Reason::bare_lf},
      {"a bare LF inside a value", get("X: v\nContent-Length: 5\r\n"), Reason::bare_lf},
      {"a bare LF for the empty line", "GET / HTTP/1.1\r\nHost: a\r\n\n", Reason::bare_lf},
      {"a bare CR inside a value", get("X: v\rContent-Length: 5\r\n"), Reason::bare_cr},
      {"a bare CR at the start of a line", get("\rX: v\r\n"), Reason::bare_cr},
      {"CR CR LF", get("X: v\r\r\n"), Reason::bare_cr},
      {"a NUL in a value", get("X: a\0b\r\n"s), Reason::control_byte},
      {"a control byte in a value", get("X: a\x0b\r\n"), Reason::control_byte},
      {"a DEL in a value", get("X: a\x7f\r\n"), Reason::control_byte},
      {"an empty name", get(": v\r\n"), Reason::bad_field_name},
      {"a name that is no token", get("X(y): v\r\n"), Reason::bad_field_name},
      {"a NUL in a name", get("X\0: v\r\n"s), Reason::bad_field_name},
      {"a byte above ASCII in a name", get("X\xe9: v\r\n"), Reason::bad_field_name},
      {"a bare LF in a name", get("X\ny: v\r\n"), Reason::bare_lf},
      {"a bare CR in a name", get("X\ry: v\r\n"), Reason::bare_cr},
      {"a space before the colon", get("X : v\r\n"), Reason::space_before_colon},
      {"a tab before the colon", get("X\t: v\r\n"), Reason::space_before_colon},
      {"a space inside a name", get("X y: v\r\n"), Reason::missing_colon},
      {"a line without a colon", get("X\r\n"), Reason::missing_colon},
      {"obs-fold with a space", get("X: a\r\n b\r\n"), Reason::obs_fold},
      {"obs-fold with a tab", get("X: a\r\n\tb\r\n"), Reason::obs_fold},
      {"a line of white space", get("X: a\r\n \r\n"), Reason::obs_fold},
      {"white space before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", Reason::leading_space},
      {"an underscore", get("X_y: v\r\n"), Reason::underscore_in_name},
      {"an underscore for a framing field's dash", get("Content_Length: 5\r\n"), Reason::underscore_in_name},
  });
}

TEST(Http1Request, UnderscoresMayBeAllowedButNotInFramingNames) {
  HeadLimits limits;
  limits.allow_underscore_names = true;
  EXPECT_EQ(parse(get("X_y: v\r\n"), limits).head, "GET / HTTP/1.1 a x_y=v;");
  EXPECT_EQ(parse(get("Content_Length: 5\r\n"), limits).reason, Reason::underscore_in_name);
  EXPECT_EQ(parse(get("transfer_encoding: chunked\r\n"), limits).reason, Reason::underscore_in_name);
}

TEST(Http1Request, ContentLength) {
  run({
      {"a length", post("Content-Length: 5\r\n"), Reason::none, "POST / HTTP/1.1 a content-length=5; length=5"},
      {"nothing", post("Content-Length: 0\r\n"), Reason::none, "POST / HTTP/1.1 a content-length=0; length=0"},
      {"leading zeros", post("Content-Length: 005\r\n"), Reason::none,
       "POST / HTTP/1.1 a content-length=005; length=5"},
      {"the largest", post("Content-Length: 4611686018427387904\r\n")},
      {"one more", post("Content-Length: 4611686018427387905\r\n"), Reason::bad_content_length},
      {"2^64", post("Content-Length: 18446744073709551616\r\n"), Reason::bad_content_length},
      {"2^64 and a length", post("Content-Length: 18446744073709551621\r\n"), Reason::bad_content_length},
      {"empty", post("Content-Length:\r\n"), Reason::bad_content_length},
      {"a plus sign", post("Content-Length: +5\r\n"), Reason::bad_content_length},
      {"a minus sign", post("Content-Length: -5\r\n"), Reason::bad_content_length},
      {"hexadecimal", post("Content-Length: 0x5\r\n"), Reason::bad_content_length},
      {"a decimal point", post("Content-Length: 5.0\r\n"), Reason::bad_content_length},
      {"digits apart", post("Content-Length: 5 5\r\n"), Reason::bad_content_length},
      // RFC 9110 §8.6 lets a recipient take this for 5; nginx and HAProxy differ about it.
      {"a list of the same", post("Content-Length: 5, 5\r\n"), Reason::bad_content_length},
      {"twice the same", post("Content-Length: 5\r\nContent-Length: 5\r\n"), Reason::duplicate_content_length},
      {"twice, differing", post("Content-Length: 5\r\ncontent-length: 6\r\n"), Reason::duplicate_content_length},
      {"a space in the name's end", post("Content-Length : 5\r\n"), Reason::space_before_colon},
  });
}

TEST(Http1Request, TransferEncoding) {
  run({
      {"chunked", post("Transfer-Encoding: chunked\r\n"), Reason::none,
       "POST / HTTP/1.1 a transfer-encoding=chunked; chunked"},
      {"in capitals", post("TRANSFER-ENCODING: CHUNKED\r\n"), Reason::none,
       "POST / HTTP/1.1 a transfer-encoding=CHUNKED; chunked"},
      {"with a length", post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Reason::te_and_cl},
      {"with a length behind it", post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), Reason::te_and_cl},
      {"another coding with a length", post("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n"), Reason::te_and_cl},
      {"empty", post("Transfer-Encoding:\r\n"), Reason::bad_transfer_encoding},
      {"identity", post("Transfer-Encoding: identity\r\n"), Reason::bad_transfer_encoding},
      {"gzip, chunked", post("Transfer-Encoding: gzip, chunked\r\n"), Reason::bad_transfer_encoding},
      {"chunked, identity", post("Transfer-Encoding: chunked, identity\r\n"), Reason::bad_transfer_encoding},
      {"chunked, chunked", post("Transfer-Encoding: chunked, chunked\r\n"), Reason::bad_transfer_encoding},
      {"a comma behind it", post("Transfer-Encoding: chunked,\r\n"), Reason::bad_transfer_encoding},
      {"a parameter", post("Transfer-Encoding: chunked;a=b\r\n"), Reason::bad_transfer_encoding},
      {"quotes", post("Transfer-Encoding: \"chunked\"\r\n"), Reason::bad_transfer_encoding},
      {"xchunked", post("Transfer-Encoding: xchunked\r\n"), Reason::bad_transfer_encoding},
      {"a vertical tab before it",
       post("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       Reason::control_byte},
      {"two lines", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
       Reason::bad_transfer_encoding},
      {"two lines, differing", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
       Reason::bad_transfer_encoding},
      {"a space before the colon", post("Transfer-Encoding : chunked\r\n"), Reason::space_before_colon},
      {"folded", post("Transfer-Encoding:\r\n chunked\r\n"), Reason::obs_fold},
      {"in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", Reason::te_in_http10},
  });
}

TEST(Http1Request, Host) {
  const auto host = [](const std::string& lines) { return "GET / HTTP/1.1\r\n" + lines + "\r\n"; };
  run({
      {"a name and a port", host("Host: shop.example:8443\r\n"), Reason::none, "GET / HTTP/1.1 shop.example:8443 "},
      {"an address of IPv6", host("Host: [::1]:80\r\n"), Reason::none, "GET / HTTP/1.1 [::1]:80 "},
      {"none", host(""), Reason::missing_host},
      {"none in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n", Reason::missing_host},
      {"empty", host("Host:\r\n"), Reason::bad_host},
      {"two", host("Host: a\r\nHost: a\r\n"), Reason::duplicate_host},
      {"two in different case", host("Host: a\r\nhost: b\r\n"), Reason::duplicate_host},
      {"a list", host("Host: a,b\r\n"), Reason::bad_host},
      {"a space", host("Host: a b\r\n"), Reason::bad_host},
      {"userinfo", host("Host: u@a\r\n"), Reason::bad_host},
      {"a path", host("Host: a/b\r\n"), Reason::bad_host},
      {"a backslash", host("Host: a\\b\r\n"), Reason::bad_host},
      {"a query", host("Host: a?b\r\n"), Reason::bad_host},
      {"a fragment", host("Host: a#b\r\n"), Reason::bad_host},
      {"an escape", host("Host: a%00\r\n"), Reason::bad_host},
      {"bytes above ASCII", host("Host: \xc3\xa9\r\n"), Reason::bad_host},
  });
}

TEST(Http1Request, ConnectionExpectAndUpgrade) {
  run({
      {"close", get("Connection: close\r\n"), Reason::none, "GET / HTTP/1.1 a connection=close; close"},
      {"close in a list", get("Connection: x, CLOSE\r\n"), Reason::none, "GET / HTTP/1.1 a connection=x, CLOSE; close"},
      {"close wins", get("Connection: keep-alive\r\nConnection: close\r\n"), Reason::none,
       "GET / HTTP/1.1 a connection=keep-alive;connection=close; close"},
      {"HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n", Reason::none,
       "GET / HTTP/1.0 a connection=keep-alive;"},
      {"an expectation", post("Expect: 100-Continue\r\nContent-Length: 1\r\n"), Reason::none,
       "POST / HTTP/1.1 a expect=100-Continue;content-length=1; length=1 continue"},
      {"one that HTTP/1.0 cannot have", "POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", Reason::none,
       "POST / HTTP/1.0 a expect=100-continue; close"},
      {"another expectation", post("Expect: 200-ok\r\n"), Reason::bad_expect},
      {"an empty one", post("Expect:\r\n"), Reason::bad_expect},
      {"two of them", post("Expect: 100-continue\r\nExpect: 100-continue\r\n"), Reason::bad_expect},
      {"an upgrade", get("Connection: Upgrade\r\nUpgrade: websocket\r\n"), Reason::none,
       "GET / HTTP/1.1 a connection=Upgrade;upgrade=websocket; upgrade=websocket"},
      {"an upgrade that Connection does not name", get("Upgrade: websocket\r\n"), Reason::none, "GET / HTTP/1.1 a "},
      {"an upgrade with content", post("Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 1\r\n"), Reason::none,
       "POST / HTTP/1.1 a connection=Upgrade;content-length=1; length=1"},
      {"an upgrade in HTTP/1.0", "GET / HTTP/1.0\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", Reason::none,
       "GET / HTTP/1.0 a connection=upgrade; close"},
      {"two upgrades", get("Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"), Reason::bad_upgrade},
  });
}

TEST(Http1Request, BoundsHoldToTheByte) {
  HeadLimits limits;
  limits.uri_bytes = 20;
  limits.headers = 3;
  const auto with_target = [](std::size_t bytes) { return line("GET /" + std::string(bytes - 1, 'a') + " HTTP/1.1"); };
  const std::string three = get("a: 1\r\nb: 2\r\n"), four = get("a: 1\r\nb: 2\r\nc: 3\r\n");
  const std::string ok = get("x: " + std::string(40, 'v') + "\r\n");
  struct {
    const char* name;
    std::string bytes;
    std::size_t header_bytes;
    Reason reason;
  } const cases[] = {
      {"a target that fits", with_target(20), 1000, Reason::none},
      {"a target one too long", with_target(21), 1000, Reason::uri_too_long},
      {"as many fields as fit, Host among them", three, 1000, Reason::none},
      {"one field too many", four, 1000, Reason::too_many_headers},
      {"a head that fits", ok, ok.size(), Reason::none},
      {"a head one byte too long", ok, ok.size() - 1, Reason::header_too_large},
      {"a head much too long", ok, 16, Reason::header_too_large},
      {"a head that is wrong behind the bound", get("x: v\r\nbad\r\n"), 30, Reason::header_too_large},
      {"a target that has no end", "GET /" + std::string(100, 'a'), 1000, Reason::uri_too_long},
      {"a name that has no end", get(std::string(100, 'a')), 50, Reason::header_too_large},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    limits.header_bytes = c.header_bytes;
    const Outcome outcome = parse(c.bytes, limits);
    EXPECT_EQ(outcome.reason, c.reason) << reason_code(outcome.reason);
    expect_same_for_every_prefix(c.bytes, outcome, limits);
  }
}

// The parsed head lives in memory that all connections of a shard share: what a refusal hands on for the record must be
// this request's, not views into the last one's buffer.
TEST(Http1Request, ARefusedHeadKeepsNothingOfTheLastOne) {
  Arena arena;
  Http1Request request;
  const std::string good = post("Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n");
  ASSERT_EQ(parse_request_head(good, {}, arena, request).status, ParseStatus::complete);
  ASSERT_EQ(parse_request_head("\x01", {}, arena, request).status, ParseStatus::refused);
  EXPECT_EQ(render(request), "  HTTP/1.1  ");
  ASSERT_EQ(parse_request_head("PUT /x HTTP/3\r\n", {}, arena, request).status, ParseStatus::refused);
  EXPECT_EQ(render(request), "PUT /x HTTP/1.1  ");
}

}  // namespace
}  // namespace gatehouse::http
