#include "http/canonical.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace gatehouse::http {
namespace {

struct PathCase {
  const char* name;
  std::string raw;
  std::string expected;  // when reason is none
  Reason reason = Reason::none;
  CanonicalOptions options{};
};

constexpr CanonicalOptions kSlashAllowed{.allow_encoded_slash = true, .allow_encoded_backslash = true};

const PathCase kPaths[] = {
    {"root", "/", "/"},
    {"plain", "/orders/17", "/orders/17"},
    {"every byte that may stand as it is", "/aZ09-._~!$&'()*+,;=:@", "/aZ09-._~!$&'()*+,;=:@"},
    {"trailing slash stays", "/orders/", "/orders/"},
    // escapes
    {"unreserved escapes are decoded", "/%41%7a%30%2D%5f%7E", "/Az0-_~"},
    {"reserved escapes stay, in upper case", "/%3b%3f%23%26%40", "/%3B%3F%23%26%40"},
    {"space", "/a%20b", "/a%20b"},
    {"double encoding is decoded once only", "/%252e%252e/%252fx", "/%252e%252e/%252fx"},
    {"decoded twice would be a slash", "/%25%32%66", "/%252f"},
    {"UTF-8 stays escaped", "/caf%c3%a9", "/caf%C3%A9"},
    {"raw UTF-8 is escaped", "/caf\xc3\xa9", "/caf%C3%A9"},
    {"Latin-1 is legal", "/%e9t%E9", "/%E9t%E9"},
    {"visible bytes that a path may not hold", "/a|b[c]^`{}\"<>", "/a%7Cb%5Bc%5D%5E%60%7B%7D%22%3C%3E"},
    {"escape cut short", "/a%", "", Reason::bad_escape},
    {"escape of one digit", "/a%2", "", Reason::bad_escape},
    {"escape without digits", "/%zz", "", Reason::bad_escape},
    {"IIS escape", "/%u002e%u002e/", "", Reason::bad_escape},
    {"escape inside an escape", "/%%32%65", "", Reason::bad_escape},
    {"escape split by an escape", "/%2%35", "", Reason::bad_escape},
    {"NUL", "/a%00.png", "", Reason::encoded_nul},
    {"raw NUL", std::string("/a\0b", 4), "", Reason::control_byte},
    {"encoded CR LF", "/a%0d%0aX:1", "", Reason::control_byte},
    {"encoded tab", "/a%09", "", Reason::control_byte},
    {"encoded DEL", "/a%7f", "", Reason::control_byte},
    {"raw DEL", "/a\x7f", "", Reason::control_byte},
    {"raw space", "/a b", "", Reason::bad_target},
    {"fragment", "/a#b", "", Reason::bad_target},
    // slashes
    {"slashes merge", "//a///b//", "/a/b/"},
    {"encoded slash", "/a%2fb", "", Reason::encoded_slash},
    {"encoded slash, upper case", "/a%2Fb", "", Reason::encoded_slash},
    {"encoded slash where the route allows it", "/a%2fb", "/a%2Fb", Reason::none, kSlashAllowed},
    {"encoded slash hiding a dot segment", "/a/..%2fadmin", "", Reason::dot_segments, kSlashAllowed},
    {"encoded slash before a dot segment", "/a%2f../admin", "", Reason::dot_segments, kSlashAllowed},
    {"encoded slashes around a dot segment", "/a%2f%2e%2e%2fadmin", "", Reason::dot_segments, kSlashAllowed},
    {"encoded slashes around a single dot", "/a%2f.%2fadmin", "", Reason::dot_segments, kSlashAllowed},
    {"encoded slash and harmless dots", "/a%2f...%2f.b", "/a%2F...%2F.b", Reason::none, kSlashAllowed},
    {"backslash", "/a\\b", "", Reason::backslash},
    {"backslash traversal", "/..\\admin", "", Reason::backslash},
    {"encoded backslash", "/a%5cb", "", Reason::encoded_backslash},
    {"encoded backslash where the route allows it", "/a%5cb", "/a%5Cb", Reason::none, kSlashAllowed},
    {"encoded backslash hiding a dot segment", "/a/..%5c..%5cx", "", Reason::dot_segments, kSlashAllowed},
    // dot segments
    {"single dot", "/a/./b", "/a/b"},
    {"single dot last", "/a/.", "/a/"},
    {"only a dot", "/.", "/"},
    {"two dots", "/a/b/../c", "/a/c"},
    {"two dots last", "/a/b/..", "/a/"},
    {"up to the root", "/a/..", "/"},
    {"up to the root and down", "/a/../b", "/b"},
    {"encoded dots", "/a/%2e%2E/b", "/b"},
    {"half encoded dots", "/a/.%2e/b", "/b"},
    {"slashes merge before dots are resolved", "/a//../b", "/b"},
    {"dots and doubled slashes", "/a/b/..//c", "/a/c"},
    {"RFC 3986 §5.2.4", "/a/b/c/./../../g", "/a/g"},
    {"above the root", "/..", "", Reason::dot_segments},
    {"above the root later", "/a/../../b", "", Reason::dot_segments},
    {"above the root, encoded", "/%2e%2e/etc/passwd", "", Reason::dot_segments},
    {"above the root through a doubled slash", "//../x", "", Reason::dot_segments},
    {"three dots are a name", "/.../a", "/.../a"},
    {"dot file", "/.well-known/x", "/.well-known/x"},
    {"two dots and a name", "/..a/b..", "/..a/b.."},
    {"path parameter after dots", "/a/..;/admin", "", Reason::dot_segments},
    {"path parameter with a value after dots", "/a/..;x=1/admin", "", Reason::dot_segments},
    {"path parameter after one dot", "/a/.;/admin", "", Reason::dot_segments},
    {"encoded path parameter after dots", "/a/..%3b/admin", "", Reason::dot_segments},
    {"encoded dots and a parameter", "/a/%2e%2e;/admin", "", Reason::dot_segments},
    {"path parameter after dots at the end", "/a/..;", "", Reason::dot_segments},
    {"path parameter after a name", "/a;v=1/b", "/a;v=1/b"},
    {"path parameter after three dots", "/...;x/b", "/...;x/b"},
    // overlong UTF-8
    {"overlong dot", "/%c0%ae%c0%ae/", "", Reason::overlong_utf8},
    {"overlong slash", "/..%c0%af..", "", Reason::overlong_utf8},
    {"overlong backslash", "/%c1%9c", "", Reason::overlong_utf8},
    {"overlong with a bad continuation", "/%c0%2e", "", Reason::overlong_utf8},
    {"overlong, three bytes", "/%e0%80%ae", "", Reason::overlong_utf8},
    {"overlong, four bytes", "/%f0%80%80%ae", "", Reason::overlong_utf8},
    {"overlong, five bytes", "/%f8%80%80%80%ae", "", Reason::overlong_utf8},
    {"overlong, six bytes", "/%fc%80%80%80%80%ae", "", Reason::overlong_utf8},
    {"overlong, raw", "/\xc0\xae", "", Reason::overlong_utf8},
    {"overlong, half raw", "/\xe0%80%ae", "", Reason::overlong_utf8},
    {"shortest three bytes", "/%e0%a0%80", "/%E0%A0%80"},
    {"shortest four bytes", "/%f0%90%80%80", "/%F0%90%80%80"},
    // form
    {"empty", "", "", Reason::bad_target},
    {"no slash", "a/b", "", Reason::bad_target},
    {"asterisk", "*", "", Reason::bad_target},
    {"absolute", "http://a/b", "", Reason::bad_target},
};

TEST(CanonicalPath, Table) {
  for (const PathCase& c : kPaths) {
    SCOPED_TRACE(c.name);
    Arena arena;
    std::string_view out;
    const Reason reason = canonicalize_path(c.raw, c.options, arena, out);
    EXPECT_EQ(reason_code(reason), reason_code(c.reason));
    if (c.reason == Reason::none) {
      EXPECT_EQ(out, c.expected);
    }
  }
}

// What the least careful server makes of a path: it decodes slashes, cuts parameters off, and then looks for dots.
bool has_dot_segment(std::string path) {
  for (const char* slash : {"%2F", "%5C"}) {
    for (std::size_t at; (at = path.find(slash)) != std::string::npos;) path.replace(at, 3, "/");
  }
  for (std::size_t at; (at = path.find("%3B")) != std::string::npos;) path.replace(at, 3, ";");
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string segment = path.substr(begin, end - begin);
    const std::string name = segment.substr(0, segment.find(';'));
    if (name == "." || name == "..") return true;
    begin = end + 1;
  }
  return false;
}

// Every path of six pieces of what attacks are made of: what is accepted does not change again and resolves to itself.
TEST(CanonicalPath, EverySmallCaseIsStable) {
  const std::string_view pieces[] = {"/", ".", "%2e", "%2F", ";", "a", "%5C", "%3b"};
  for (int n = 0; n < 8 * 8 * 8 * 8 * 8 * 8; ++n) {
    std::string raw = "/";
    for (int digit = 0, rest = n; digit < 6; ++digit, rest /= 8) raw += pieces[rest % 8];
    for (const CanonicalOptions& options : {CanonicalOptions{}, kSlashAllowed}) {
      Arena arena(256);
      std::string_view once, twice;
      if (canonicalize_path(raw, options, arena, once) != Reason::none) continue;
      ASSERT_EQ(canonicalize_path(once, options, arena, twice), Reason::none) << raw;
      ASSERT_EQ(once, twice) << raw;
      ASSERT_EQ(once.find("//"), std::string_view::npos) << raw;
      ASSERT_FALSE(has_dot_segment(std::string(once))) << raw << " became " << once;
    }
  }
}

RequestHead get(std::string_view target) {
  RequestHead head;
  head.method = "GET";
  head.scheme = "http";
  head.authority = "shop.example";
  head.target = target;
  return head;
}

struct TargetCase {
  const char* name;
  std::string method, target;
  Reason reason;
  std::string path, query;
  bool has_query = false;
};

const TargetCase kTargets[] = {
    {"no query", "GET", "/a", Reason::none, "/a", "", false},
    {"empty query", "GET", "/a?", Reason::none, "/a", "", true},
    {"query", "GET", "/a?b=c&d=%2e%2E", Reason::none, "/a", "b=c&d=%2e%2E", true},
    {"query with slashes, dots and marks", "GET", "/a?../?x//y", Reason::none, "/a", "../?x//y", true},
    {"query as browsers send it", "GET", "/a?x={\"a\":[1|2]}\\^`", Reason::none, "/a", "x={\"a\":[1|2]}\\^`", true},
    {"broken escape in a query is the upstream's", "GET", "/a?q=100%", Reason::none, "/a", "q=100%", true},
    {"raw UTF-8 in a query", "GET", "/a?q=\xc3\xa9", Reason::none, "/a", "q=%C3%A9", true},
    {"control byte in a query", "GET", "/a?q=\x01", Reason::control_byte, "", ""},
    {"CR in a query", "GET", "/a?q=\r", Reason::control_byte, "", ""},
    {"space in a query", "GET", "/a?q=a b", Reason::bad_target, "", ""},
    {"fragment after a query", "GET", "/a?q#f", Reason::bad_target, "", ""},
    {"fragment", "GET", "/a#f", Reason::bad_target, "", ""},
    {"asterisk", "OPTIONS", "*", Reason::none, "*", ""},
    {"asterisk of another method", "GET", "*", Reason::bad_target, "", ""},
    {"asterisk and more", "OPTIONS", "*/a", Reason::bad_target, "", ""},
    {"absolute form reaches us as origin form only", "GET", "http://shop.example/", Reason::bad_target, "", ""},
    {"empty target", "GET", "", Reason::bad_target, "", ""},
    {"CONNECT", "CONNECT", "/", Reason::bad_method, "", ""},
    {"method with a space", "GE T", "/", Reason::bad_method, "", ""},
    {"no method", "", "/", Reason::bad_method, "", ""},
};

TEST(Canonicalize, Targets) {
  for (const TargetCase& c : kTargets) {
    SCOPED_TRACE(c.name);
    RequestHead head = get(c.target);
    head.method = c.method;
    Arena arena;
    CanonicalRequest out;
    EXPECT_EQ(reason_code(canonicalize(head, {}, arena, out)), reason_code(c.reason));
    if (c.reason != Reason::none) continue;
    EXPECT_EQ(out.path, c.path);
    EXPECT_EQ(out.query, c.query);
    EXPECT_EQ(out.has_query, c.has_query);
  }
}

using Lines = std::vector<std::pair<std::string, std::string>>;

struct FieldsCase {
  const char* name;
  Lines in;
  Lines expected;
  Reason reason = Reason::none;
  CanonicalOptions options{};
};

Lines many_connection_options(std::size_t count) {
  std::string value = "close";
  for (std::size_t i = 0; i < count; ++i) value += ",x-" + std::to_string(i);
  return {{"connection", value}, {"a", "1"}};
}

const FieldsCase kFields[] = {
    {"ordinary fields stay in order",
     {{"accept", "*/*"}, {"x-a", "1"}, {"x-a", "2"}},
     {{"accept", "*/*"}, {"x-a", "1"}, {"x-a", "2"}}},
    {"hop-by-hop fields go",
     {{"connection", "keep-alive"},
      {"keep-alive", "5"},
      {"te", "gzip"},
      {"trailer", "x"},
      {"upgrade", "h2c"},
      {"transfer-encoding", "chunked"},
      {"proxy-connection", "close"},
      {"http2-settings", "AA"},
      {"a", "1"}},
     {{"a", "1"}}},
    {"framing and routing fields go",
     {{"content-length", "5"}, {"host", "b.example"}, {"expect", "100-continue"}, {"a", "1"}},
     {{"a", "1"}}},
    {"fields that Connection names go",
     {{"connection", "X-Hop , close"}, {"x-hop", "1"}, {"x-end", "2"}},
     {{"x-end", "2"}}},
    {"fields that two Connections name go",
     {{"x-a", "1"}, {"connection", "x-a"}, {"connection", "x-b"}, {"x-b", "1"}},
     {}},
    {"Connection cannot take credentials or origin",
     {{"connection", "authorization, cookie, x-forwarded-for, content-type, origin"},
      {"authorization", "Bearer x"},
      {"cookie", "a=b"},
      {"x-forwarded-for", "192.0.2.1"},
      {"content-type", "text/plain"},
      {"origin", "null"}},
     {{"authorization", "Bearer x"},
      {"cookie", "a=b"},
      {"x-forwarded-for", "192.0.2.1"},
      {"content-type", "text/plain"},
      {"origin", "null"}}},
    {"as many Connection options as allowed", many_connection_options(kConnectionOptionsMax), {{"a", "1"}}},
    {"too many Connection options", many_connection_options(kConnectionOptionsMax + 1), {}, Reason::too_many_headers},
    {"empty Connection options", {{"connection", ",, ,"}, {"a", "1"}}, {{"a", "1"}}},
    {"cookies are joined where the first stood",
     {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c=3"}},
     {{"cookie", "a=1; b=2; c=3"}, {"x", "y"}}},
    {"an empty cookie adds nothing", {{"cookie", ""}, {"cookie", "b=2"}}, {{"cookie", "b=2"}}},
    {"identity cannot be forged",
     {{"x-gatehouse-identity", "eyJ"},
      {"x-gatehouse-user", "root"},
      {"x-user", "root"},
      {"x-roles", "admin"},
      {"remote-user", "root"},
      {"x-user-agent", "grpc-web"}},
     {{"x-user-agent", "grpc-web"}}},
    {"identity cannot be forged through CGI",
     {{"x_user", "root"}, {"x_gatehouse_identity", "e"}, {"x-gatehouse_user", "r"}, {"a_b", "1"}},
     {{"a_b", "1"}},
     Reason::none,
     {.allow_underscore_names = true}},
    {"framing cannot be forged through CGI",
     {{"content_length", "5"}, {"transfer_encoding", "chunked"}},
     {},
     Reason::none,
     {.allow_underscore_names = true}},
    {"the path cannot be overridden", {{"x-original-url", "/admin"}, {"x-rewrite-url", "/admin"}}, {}},
    {"nor can the method",
     {{"x-http-method-override", "PUT"}, {"x-http-method", "PUT"}, {"x-method-override", "PUT"}},
     {}},
    {"httpoxy", {{"proxy", "http://192.0.2.1"}, {"proxy-authorization", "Basic x"}}, {}},
    {"underscore", {{"x_user", "root"}}, {}, Reason::underscore_in_name},
    {"two authorizations", {{"authorization", "Bearer a"}, {"authorization", "Bearer b"}}, {}, Reason::duplicate_field},
    {"two content types",
     {{"content-type", "text/plain"}, {"content-type", "application/json"}},
     {},
     Reason::duplicate_field},
    {"two origins", {{"origin", "https://a"}, {"origin", "https://b"}}, {}, Reason::duplicate_field},
};

TEST(Canonicalize, Fields) {
  for (const FieldsCase& c : kFields) {
    SCOPED_TRACE(c.name);
    RequestHead head = get("/");
    for (const auto& [name, value] : c.in) head.fields.add(name, value);
    Arena arena;
    CanonicalRequest out;
    EXPECT_EQ(reason_code(canonicalize(head, c.options, arena, out)), reason_code(c.reason));
    if (c.reason != Reason::none) continue;
    Lines lines;
    for (const Field& field : out.fields) lines.emplace_back(field.name, field.value);
    EXPECT_EQ(lines, c.expected);
  }
}

TEST(Canonicalize, Upgrade) {
  struct {
    const char* name;
    Lines in;
    Version version;
    std::string expected;
    Reason reason;
  } const cases[] = {
      {"asked for",
       {{"connection", "Keep-Alive, Upgrade"}, {"upgrade", "websocket"}},
       Version::http11,
       "websocket",
       Reason::none},
      {"asked for, fields the other way round",
       {{"upgrade", "websocket"}, {"connection", "upgrade"}},
       Version::http11,
       "websocket",
       Reason::none},
      {"not asked for", {{"upgrade", "websocket"}}, Version::http11, "", Reason::none},
      {"asked for nothing", {{"connection", "upgrade"}}, Version::http11, "", Reason::none},
      {"not in HTTP/1.0", {{"connection", "upgrade"}, {"upgrade", "websocket"}}, Version::http10, "", Reason::none},
      {"twice",
       {{"connection", "upgrade"}, {"upgrade", "websocket"}, {"upgrade", "h2c"}},
       Version::http11,
       "",
       Reason::bad_upgrade},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    RequestHead head = get("/");
    head.version = c.version;
    for (const auto& [name, value] : c.in) head.fields.add(name, value);
    Arena arena;
    CanonicalRequest out;
    EXPECT_EQ(canonicalize(head, {}, arena, out), c.reason);
    if (c.reason == Reason::none) {
      EXPECT_EQ(out.upgrade, c.expected);
    }
    EXPECT_TRUE(out.fields.empty());
  }
}

TEST(Canonicalize, TrailersAreRememberedWhenTeIsStripped) {
  RequestHead head = get("/");
  head.fields.add("te", "deflate, Trailers");
  Arena arena;
  CanonicalRequest out;
  ASSERT_EQ(canonicalize(head, {}, arena, out), Reason::none);
  EXPECT_TRUE(out.te_trailers);
  EXPECT_TRUE(out.fields.empty());
}

// A request object is used again for the next request of a connection: nothing may remain of the last.
TEST(Canonicalize, LeavesNothingOfTheRequestBefore) {
  Arena arena;
  CanonicalRequest out;
  RequestHead first = get("/a?b");
  first.fields.add("te", "trailers");
  first.fields.add("connection", "upgrade");
  first.fields.add("upgrade", "websocket");
  first.fields.add("x", "y");
  first.content_length = 5;
  first.expect_continue = true;
  ASSERT_EQ(canonicalize(first, {}, arena, out), Reason::none);
  ASSERT_EQ(canonicalize(get("/c"), {}, arena, out), Reason::none);
  EXPECT_EQ(out.path, "/c");
  EXPECT_EQ(out.query, "");
  EXPECT_EQ(out.upgrade, "");
  EXPECT_FALSE(out.has_query);
  EXPECT_FALSE(out.te_trailers);
  EXPECT_FALSE(out.expect_continue);
  EXPECT_FALSE(out.content_length);
  EXPECT_TRUE(out.fields.empty());
}

TEST(Canonicalize, OutlivesTheConnectionsBuffer) {
  std::string buffer = "/path?query|shop.example|x-name|value";
  RequestHead head = get(std::string_view(buffer).substr(0, 11));
  head.authority = std::string_view(buffer).substr(12, 12);
  head.fields.add(std::string_view(buffer).substr(25, 6), std::string_view(buffer).substr(32));
  Arena arena;
  CanonicalRequest out;
  ASSERT_EQ(canonicalize(head, {}, arena, out), Reason::none);
  buffer.assign(buffer.size(), '!');
  EXPECT_EQ(out.path, "/path");
  EXPECT_EQ(out.query, "query");
  EXPECT_EQ(out.authority, "shop.example");
  EXPECT_EQ(out.fields.get("x-name"), "value");
}

TEST(Canonicalize, ForwardingFieldsAreStrippedOnRequest) {
  Fields fields;
  for (const char* name : {"forwarded", "x-forwarded-for", "x-forwarded-proto", "x_forwarded_host", "x-real-ip",
                           "x-forwardedness", "via"}) {
    fields.add(name, "1");
  }
  EXPECT_EQ(strip_forwarding_fields(fields), 5u);
  EXPECT_TRUE(fields.has("x-forwardedness"));
  EXPECT_TRUE(fields.has("via"));
}

}  // namespace
}  // namespace gatehouse::http
