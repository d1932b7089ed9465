#include "http/http1_parser.h"

#include <algorithm>
#include <cstring>

#include "http/http1_syntax.h"

namespace gatehouse::http {
namespace {

constexpr std::ptrdiff_t kMethodBytesMax = 32;

bool parse_length(std::string_view digits, std::uint64_t& out) noexcept {
  // Nineteen digits cannot overflow; more than that is no length anyone means.
  if (digits.empty() || digits.size() > 19) return false;
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > (std::uint64_t{1} << 62)) return false;
  out = value;
  return true;
}

struct FramingFields {
  std::size_t lengths = 0, codings = 0;
  bool length_good = false, chunked = false;
  std::uint64_t length = 0;
};

// RFC 9112 §6.3, without its leniencies.
Reason decide_framing(const FramingFields& seen, Version version) noexcept {
  if (seen.codings > 0 && seen.lengths > 0) return Reason::te_and_cl;
  if (seen.lengths > 1) return Reason::duplicate_content_length;
  if (seen.lengths == 1 && !seen.length_good) return Reason::bad_content_length;
  if (seen.codings > 0 && version == Version::http10) return Reason::te_in_http10;
  if (seen.codings > 1 || (seen.codings == 1 && !seen.chunked)) return Reason::bad_transfer_encoding;
  return Reason::none;
}

void note_framing_field(const Field& field, FramingFields& seen) noexcept {
  if (field.name == "content-length") {
    ++seen.lengths;
    seen.length_good = parse_length(field.value, seen.length);
  } else if (field.name == "transfer-encoding") {
    ++seen.codings;
    seen.chunked = equals_ignoring_case(field.value, "chunked");
  }
}

// A line that ends before its parts are complete: "GET\r\n", or HTTP/0.9's "GET /\r\n".
ParseResult early_line_end(const char* at, const char* end) noexcept {
  if (*at == '\n') return refused(Reason::bare_lf);
  if (at + 1 == end) return kIncomplete;
  return refused(at[1] == '\n' ? Reason::bad_request_line : Reason::bare_cr);
}

bool is_line_byte(char c) noexcept { return c == '\r' || c == '\n'; }

ParseResult parse_version(const char*& at, const char* end, Version& version) noexcept {
  constexpr std::string_view kPrefix = "HTTP/1.";
  if (at == end) return kIncomplete;
  if (is_line_byte(*at)) return early_line_end(at, end);
  const auto have = static_cast<std::size_t>(end - at);
  if (std::memcmp(at, kPrefix.data(), std::min(have, kPrefix.size())) != 0) return refused(Reason::bad_version);
  if (have <= kPrefix.size()) return kIncomplete;
  const char minor = at[kPrefix.size()];
  if (minor != '1' && minor != '0') return refused(Reason::bad_version);
  version = minor == '1' ? Version::http11 : Version::http10;
  at += kPrefix.size() + 1;
  return kGood;
}

ParseResult parse_request_line(const char*& at, const char* end, std::size_t uri_max, RequestHead& head) noexcept {
  const char* const method = at;
  at = find_token_end(at, end);
  if (at - method > kMethodBytesMax) return refused(Reason::bad_method);
  if (at == end) return kIncomplete;
  if (is_line_byte(*at)) return early_line_end(at, end);
  if (*at != ' ' || at == method) return refused(Reason::bad_method);
  head.method = {method, static_cast<std::size_t>(at - method)};

  const char* const target = ++at;
  at = find_target_end(at, end);
  const auto length = static_cast<std::size_t>(at - target);
  if (length > uri_max) return refused(Reason::uri_too_long);
  if (at == end) return kIncomplete;
  if (is_line_byte(*at)) return early_line_end(at, end);
  if (*at != ' ') return refused(Reason::control_byte);
  if (length == 0) return refused(Reason::bad_target);
  head.target = {target, length};

  const ParseResult version = parse_version(++at, end, head.version);
  if (version.status != ParseStatus::complete) return version;
  if (at < end && !is_line_byte(*at)) return refused(Reason::bad_version);
  return line_end(at, end);
}

// Only what can never stand in an authority is refused here: delimiters, userinfo, escapes, bytes above ASCII. Its
// grammar is the canonical form's business.
bool may_be_authority(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '-' && c <= ':' && c != '/') || c == '_' ||
           c == '~' || c == '[' || c == ']';
  });
}

// Absolute-form (RFC 9112 §3.2.2) to origin-form; the authority must be the Host field's.
Reason split_target(RequestHead& head, std::string_view host, Arena& arena) {
  // A reverse proxy opens no tunnels on request. Nobody sends a fragment, but some would take it for the path's end.
  if (head.method == "CONNECT") return Reason::bad_method;
  if (head.target.find('#') != std::string_view::npos) return Reason::bad_target;
  if (head.target.front() == '/') return Reason::none;
  if (head.target == "*") return head.method == "OPTIONS" ? Reason::none : Reason::bad_target;
  const auto scheme_end = head.target.find("://");
  if (scheme_end == std::string_view::npos) return Reason::bad_target;
  const std::string_view scheme = head.target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return Reason::bad_target;
  const std::string_view rest = head.target.substr(scheme_end + 3);
  const auto path = std::min(rest.find_first_of("/?"), rest.size());
  const std::string_view authority = rest.substr(0, path);
  if (!may_be_authority(authority)) return Reason::bad_target;
  if (!equals_ignoring_case(authority, host)) return Reason::authority_mismatch;
  if (path < rest.size() && rest[path] == '/') {
    head.target = rest.substr(path);
  } else {  // "http://a?q": an empty path is "/"
    char* const to = arena.allocate(rest.size() - path + 1);
    *to = '/';
    std::memcpy(to + 1, rest.data() + path, rest.size() - path);
    head.target = {to, rest.size() - path + 1};
  }
  return Reason::none;
}

struct ConnectionOptions {
  bool close = false, keep_alive = false, upgrade = false;
};

void note_connection(std::string_view value, ConnectionOptions& seen) noexcept {
  // Nearly always one option, and nearly always this one.
  if (value == "keep-alive") {
    seen.keep_alive = true;
    return;
  }
  seen.close |= list_has_token(value, "close");
  seen.keep_alive |= list_has_token(value, "keep-alive");
  seen.upgrade |= list_has_token(value, "upgrade");
}

// The fields of a request that mean something to the codec itself.
struct RequestFields {
  FramingFields framing;
  ConnectionOptions connection;
  std::size_t hosts = 0, expects = 0, upgrades = 0;
  bool bad_expect = false;
  std::string_view host, upgrade;
};

void note_request_field(const Field& field, RequestFields& seen) noexcept {
  switch (field.name.size()) {
    case 4:
      if (field.name == "host") ++seen.hosts, seen.host = field.value;
      break;
    case 6:
      if (field.name == "expect") ++seen.expects, seen.bad_expect |= !equals_ignoring_case(field.value, "100-continue");
      break;
    case 7:
      if (field.name == "upgrade") ++seen.upgrades, seen.upgrade = field.value;
      break;
    case 10:
      if (field.name == "connection") note_connection(field.value, seen.connection);
      break;
    case 14:
    case 17: note_framing_field(field, seen.framing); break;
    default: break;
  }
}

Reason interpret_request(Http1Request& out, Arena& arena) {
  RequestHead& head = out.head;
  RequestFields seen;
  for (const Field& field : head.fields) note_request_field(field, seen);
  head.authority = seen.host;
  if (const Reason reason = decide_framing(seen.framing, head.version); reason != Reason::none) return reason;
  if (seen.hosts > 1) return Reason::duplicate_host;
  if (seen.hosts == 0) return Reason::missing_host;
  if (!may_be_authority(seen.host)) return Reason::bad_host;
  if (const Reason reason = split_target(head, seen.host, arena); reason != Reason::none) return reason;
  if (seen.bad_expect || seen.expects > 1) return Reason::bad_expect;
  if (seen.upgrades > 1) return Reason::bad_upgrade;
  // An HTTP/1.0 client that sends Expect is not waiting for anything (RFC 9110 §10.1.1).
  head.expect_continue = seen.expects == 1 && head.version == Version::http11;
  if (seen.framing.lengths == 1) {
    head.content_length = seen.framing.length;
    out.framing = seen.framing.length > 0 ? Framing::length : Framing::none;
  } else if (seen.framing.codings == 1) {
    out.framing = Framing::chunked;
  }
  out.keep_alive = !seen.connection.close && (head.version == Version::http11 || seen.connection.keep_alive);
  // With content it is an ordinary request (RFC 9110 §7.8 leaves that to us): after a switch of protocols nobody could
  // say where the content ends. HTTP/1.0 knows no Upgrade.
  if (seen.connection.upgrade && head.version == Version::http11 && out.framing == Framing::none) {
    out.upgrade = seen.upgrade;
  }
  if (seen.upgrades > 0 && out.upgrade.empty()) head.fields.remove("upgrade");
  head.fields.remove("host");
  return Reason::none;
}

// Forgets the last head: its views point into memory that is another connection's by now.
void reset(Http1Request& out) noexcept {
  RequestHead& head = out.head;
  head.method = head.scheme = head.authority = head.target = head.protocol = {};
  head.version = Version::http11;
  head.fields.clear();
  head.content_length.reset();
  head.expect_continue = false;
  out.framing = Framing::none;
  out.keep_alive = true;
  out.upgrade = {};
}

// A head that fills its bound and isn't complete never will be.
ParseResult incomplete(std::size_t bytes, const HeadLimits& limits) noexcept {
  return bytes < limits.header_bytes ? kIncomplete : refused(Reason::header_too_large);
}

// " 200", then a space and a phrase, or (common, and harmless) the end of the line at once.
ParseResult parse_status(const char*& at, const char* end, ResponseHead& head) noexcept {
  if (end - at < 5) return kIncomplete;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  if (at[0] != ' ' || !digit(at[1]) || !digit(at[2]) || !digit(at[3]) || (at[4] != ' ' && at[4] != '\r')) {
    return refused(Reason::bad_status_line);
  }
  head.status = (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0');
  if (head.status < 100 || head.status > 599) return refused(Reason::bad_status_line);
  at = find_control(at + 4, end);
  return line_end(at, end);
}

Reason interpret_response(Http1Response& out, bool to_head_request) noexcept {
  ResponseHead& head = out.head;
  FramingFields framing;
  ConnectionOptions connection;
  for (const Field& field : head.fields) {
    note_framing_field(field, framing);
    if (field.name == "connection") note_connection(field.value, connection);
  }
  if (const Reason reason = decide_framing(framing, head.version); reason != Reason::none) return reason;
  // A 1xx or 204 that carries framing is a desynchronisation waiting to happen (RFC 9110 §8.6, RFC 9112 §6.1).
  const bool never_content = head.status < 200 || head.status == 204;
  if (never_content && framing.codings > 0) return Reason::bad_transfer_encoding;
  if (never_content && framing.length > 0) return Reason::bad_content_length;
  if (framing.lengths == 1) head.content_length = framing.length;
  if (never_content || to_head_request || head.status == 304) {
    out.framing = Framing::none;
  } else if (framing.codings == 1) {
    out.framing = Framing::chunked;
  } else if (framing.lengths == 0) {
    out.framing = Framing::until_close;
  } else {
    out.framing = framing.length > 0 ? Framing::length : Framing::none;
  }
  out.keep_alive = !connection.close && out.framing != Framing::until_close &&
                   (head.version == Version::http11 || connection.keep_alive);
  return Reason::none;
}

}  // namespace

bool head_may_be_complete(std::string_view bytes, std::size_t from) noexcept {
  return bytes.find('\n', from) != std::string_view::npos;
}

ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, Arena& arena, Http1Request& out) {
  reset(out);
  // What lies behind the bound is not looked at: the verdict must not depend on how much of it has come.
  bytes = bytes.substr(0, limits.header_bytes);
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  // One empty line before a request is forgiven: old clients send it behind a POST (RFC 9112 §2.2).
  if (at < end && *at == '\r') {
    const ParseResult empty_line = line_end(at, end);
    if (empty_line.status != ParseStatus::complete) return empty_line;
  }
  ParseResult result = parse_request_line(at, end, limits.uri_bytes, out.head);
  if (result.status == ParseStatus::complete) {
    result = parse_field_lines(at, end, {limits.headers, limits.allow_underscore_names}, arena, out.head.fields);
  }
  if (result.status == ParseStatus::incomplete) return incomplete(bytes.size(), limits);
  if (result.status == ParseStatus::refused) return result;
  result.consumed = static_cast<std::size_t>(at - bytes.data());
  if (const Reason reason = interpret_request(out, arena); reason != Reason::none) return refused(reason);
  return result;
}

ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool to_head_request, Arena& arena,
                                Http1Response& out) {
  out.head.status = 0;
  out.head.fields.clear();
  out.head.content_length.reset();
  bytes = bytes.substr(0, limits.header_bytes);
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  ParseResult result = parse_version(at, end, out.head.version);
  if (result.status == ParseStatus::refused) return refused(Reason::bad_status_line);
  if (result.status == ParseStatus::complete) result = parse_status(at, end, out.head);
  if (result.status == ParseStatus::complete) {
    result = parse_field_lines(at, end, {limits.headers, true}, arena, out.head.fields);
  }
  if (result.status == ParseStatus::incomplete) return incomplete(bytes.size(), limits);
  if (result.status == ParseStatus::refused) return result;
  result.consumed = static_cast<std::size_t>(at - bytes.data());
  if (const Reason reason = interpret_response(out, to_head_request); reason != Reason::none) return refused(reason);
  return result;
}

}  // namespace gatehouse::http
