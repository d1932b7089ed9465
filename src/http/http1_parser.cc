#include "http/http1_parser.h"

#include <array>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gatehouse::http {
namespace {

// A chunk's size line may carry this many bytes of extensions, and the whole message sixteen times as many: nothing
// uses them, and they cost the receiver more than the sender (CVE-2023-39326).
constexpr std::size_t kExtensionBytesMax = 256;
constexpr std::uint32_t kExtensionBytesTotalMax = 16 * kExtensionBytesMax;

// 0 for what can't be in a token (RFC 9110 §5.6.2), else the lower-case byte.
constexpr auto kTokenLower = [] {
  std::array<char, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = static_cast<char>(c + 32);
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) table[c] = c;
  return table;
}();

constexpr unsigned char byte_of(char c) noexcept { return static_cast<unsigned char>(c); }

// The first byte that cannot be inside a field value: a control byte other than HTAB, or DEL.
const char* find_control(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(0x20);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // unsigned v < 0x20 <=> max(v, 0x20) != v
    const __m128i visible = _mm_cmpeq_epi8(_mm_max_epu8(v, space), v);
    const __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(v, del), _mm_or_si128(visible, _mm_cmpeq_epi8(v, tab)));
    const int bad = ~_mm_movemask_epi8(good) & 0xffff;
    if (bad != 0) return at + __builtin_ctz(static_cast<unsigned>(bad));
  }
#endif
  for (; at < end; ++at) {
    const unsigned char c = byte_of(*at);
    if ((c < 0x20 && c != '\t') || c == 0x7f) break;
  }
  return at;
}

// The first byte that cannot be inside a request target: a control byte, space or DEL.
const char* find_target_end(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(0x21);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(v, del), _mm_cmpeq_epi8(_mm_max_epu8(v, first), v));
    const int bad = ~_mm_movemask_epi8(good) & 0xffff;
    if (bad != 0) return at + __builtin_ctz(static_cast<unsigned>(bad));
  }
#endif
  while (at < end && byte_of(*at) > 0x20 && *at != 0x7f) ++at;
  return at;
}

std::string_view trim(const char* from, const char* to) noexcept {
  while (from < to && (*from == ' ' || *from == '\t')) ++from;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t')) --to;
  return {from, static_cast<std::size_t>(to - from)};
}

ParseResult refused(Reason reason) noexcept { return {ParseStatus::refused, reason, 0}; }
constexpr ParseResult kIncomplete{ParseStatus::incomplete, Reason::none, 0};
constexpr ParseResult kGood{ParseStatus::complete, Reason::none, 0};

// What a stray control byte at `at` is. CR needs the byte behind it, which the caller has checked to exist.
Reason control_reason(char c) noexcept {
  if (c == '\n') return Reason::bare_lf;
  if (c == '\r') return Reason::bare_cr;
  return Reason::control_byte;
}

// At `at` a line must end. Moves behind CRLF.
ParseResult line_end(const char*& at, const char* end) noexcept {
  if (at == end) return kIncomplete;
  if (*at != '\r') return refused(control_reason(*at));
  if (at + 1 == end) return kIncomplete;
  if (at[1] != '\n') return refused(Reason::bare_cr);
  at += 2;
  return kGood;
}

// A name with `_` for `-` that a CGI-like server would take for a framing field.
bool looks_like_framing(std::string_view name) noexcept {
  const auto same = [&](std::string_view real) {
    if (name.size() != real.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (name[i] != real[i] && !(name[i] == '_' && real[i] == '-')) return false;
    }
    return true;
  };
  return same("content-length") || same("transfer-encoding");
}

struct FieldLines {
  const HeadLimits& limits;
  bool underscore_refused;
  Arena& arena;
};

// One field line; `at` is at its first byte.
ParseResult parse_field(const char*& at, const char* end, bool first, const FieldLines& lines, Fields& out) {
  if (*at == ' ' || *at == '\t') return refused(first ? Reason::leading_space : Reason::obs_fold);
  const char* name_end = at;
  bool upper = false, underscore = false;
  while (name_end < end && kTokenLower[byte_of(*name_end)] != 0) {
    upper |= *name_end >= 'A' && *name_end <= 'Z';
    underscore |= *name_end == '_';
    ++name_end;
  }
  if (name_end == end) return kIncomplete;
  if (*name_end != ':') {
    if (*name_end == '\r' && name_end + 1 == end) return kIncomplete;
    if (*name_end == ' ' || *name_end == '\t') {
      // "Name : value" is a smuggling classic; "Name value" is a line without a colon.
      const char* after = name_end;
      while (after < end && (*after == ' ' || *after == '\t')) ++after;
      if (after == end) return kIncomplete;
      return refused(*after == ':' ? Reason::space_before_colon : Reason::missing_colon);
    }
    if (*name_end == '\n') return refused(Reason::bare_lf);
    if (*name_end == '\r') return refused(name_end[1] == '\n' ? Reason::missing_colon : Reason::bare_cr);
    return refused(Reason::bad_field_name);
  }
  if (name_end == at) return refused(Reason::bad_field_name);
  std::string_view name(at, static_cast<std::size_t>(name_end - at));
  if (upper) {
    char* to = lines.arena.allocate(name.size());
    for (std::size_t i = 0; i < name.size(); ++i) to[i] = kTokenLower[byte_of(name[i])];
    name = {to, name.size()};
  }
  if (underscore && (lines.underscore_refused || looks_like_framing(name))) return refused(Reason::underscore_in_name);

  const char* value_end = find_control(name_end + 1, end);
  const std::string_view value = trim(name_end + 1, value_end);
  const ParseResult ended = line_end(value_end, end);
  if (ended.status != ParseStatus::complete) return ended;
  if (out.size() >= lines.limits.headers) return refused(Reason::too_many_headers);
  out.add(name, value);
  at = value_end;
  return kGood;
}

// All field lines and the empty line behind them.
ParseResult parse_fields(const char*& at, const char* end, const FieldLines& lines, Fields& out) {
  for (bool first = true;; first = false) {
    if (at == end) return kIncomplete;
    if (*at == '\r' || *at == '\n') return line_end(at, end);
    const ParseResult result = parse_field(at, end, first, lines, out);
    if (result.status != ParseStatus::complete) return result;
  }
}

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

struct RequestLine {
  std::string_view method, target;
};

ParseResult parse_version(const char*& at, const char* end, Version& version) noexcept {
  constexpr std::string_view kPrefix = "HTTP/1.";
  const auto have = static_cast<std::size_t>(end - at);
  const std::size_t compare = have < kPrefix.size() ? have : kPrefix.size();
  if (std::memcmp(at, kPrefix.data(), compare) != 0) {
    return refused(std::memchr("\r\n", *at, 2) != nullptr ? Reason::bad_request_line : Reason::bad_version);
  }
  if (have <= kPrefix.size()) return kIncomplete;
  const char minor = at[kPrefix.size()];
  if (minor != '1' && minor != '0') return refused(Reason::bad_version);
  version = minor == '1' ? Version::http11 : Version::http10;
  at += kPrefix.size() + 1;
  return kGood;
}

ParseResult parse_request_line(const char*& at, const char* end, std::size_t uri_max, RequestHead& head) noexcept {
  const char* method = at;
  while (at < end && kTokenLower[byte_of(*at)] != 0) ++at;
  if (at == end) return static_cast<std::size_t>(at - method) > 32 ? refused(Reason::bad_method) : kIncomplete;
  if (*at != ' ' || at == method || at - method > 32) {
    return refused(*at == '\n' ? Reason::bare_lf : *at == '\r' ? Reason::bad_request_line : Reason::bad_method);
  }
  head.method = {method, static_cast<std::size_t>(at - method)};
  const char* target = ++at;
  at = find_target_end(at, end);
  const auto length = static_cast<std::size_t>(at - target);
  if (length > uri_max) return refused(Reason::uri_too_long);
  if (at == end) return kIncomplete;
  if (*at == '\r' || *at == '\n') {
    if (*at == '\r' && at + 1 == end) return kIncomplete;
    // "GET /\r\n" is HTTP/0.9.
    return refused(*at == '\n' ? Reason::bare_lf : at[1] == '\n' ? Reason::bad_request_line : Reason::bare_cr);
  }
  if (*at != ' ') return refused(Reason::control_byte);
  if (length == 0) return refused(Reason::bad_target);
  head.target = {target, length};
  ++at;
  if (at == end) return kIncomplete;
  const ParseResult version = parse_version(at, end, head.version);
  if (version.status != ParseStatus::complete) return version;
  if (at < end && *at != '\r' && *at != '\n') return refused(Reason::bad_version);
  return line_end(at, end);
}

// Absolute-form (RFC 9112 §3.2.2) to origin-form; the authority must be the Host field's.
Reason split_target(RequestHead& head, std::string_view host, Arena& arena) {
  if (head.target.front() == '/') return Reason::none;
  if (head.target == "*") return head.method == "OPTIONS" ? Reason::none : Reason::bad_target;
  if (head.method == "CONNECT") return Reason::bad_method;
  const auto scheme_end = head.target.find("://");
  if (scheme_end == std::string_view::npos) return Reason::bad_target;
  const std::string_view scheme = head.target.substr(0, scheme_end);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) return Reason::bad_target;
  const std::string_view rest = head.target.substr(scheme_end + 3);
  const auto path = rest.find_first_of("/?#");
  const std::string_view authority = rest.substr(0, path);
  if (authority.empty() || authority.find('@') != std::string_view::npos) return Reason::bad_target;
  if (!equals_ignoring_case(authority, host)) return Reason::authority_mismatch;
  if (path == std::string_view::npos) {
    head.target = "/";
  } else if (rest[path] == '/') {
    head.target = rest.substr(path);
  } else {  // "http://a?q": an empty path is "/"
    char* to = arena.allocate(rest.size() - path + 1);
    *to = '/';
    std::memcpy(to + 1, rest.data() + path, rest.size() - path);
    head.target = {to, rest.size() - path + 1};
  }
  return Reason::none;
}

// The fields that mean something to the codec itself, in one walk.
Reason interpret_request(Http1Request& out, Arena& arena) {
  RequestHead& head = out.head;
  FramingFields framing;
  std::size_t hosts = 0, expects = 0;
  bool close = false, keep_alive = false, connection_upgrade = false, bad_expect = false;
  std::string_view upgrade;
  for (const Field& field : head.fields) {
    switch (field.name.size()) {
      case 4:
        if (field.name == "host") ++hosts, head.authority = field.value;
        break;
      case 6:
        if (field.name == "expect") ++expects, bad_expect |= !equals_ignoring_case(field.value, "100-continue");
        break;
      case 7:
        if (field.name == "upgrade") upgrade = field.value;
        break;
      case 10:
        if (field.name == "connection") {
          close |= list_has_token(field.value, "close");
          keep_alive |= list_has_token(field.value, "keep-alive");
          connection_upgrade |= list_has_token(field.value, "upgrade");
        }
        break;
      case 14:
      case 17: note_framing_field(field, framing); break;
      default: break;
    }
  }
  if (const Reason reason = decide_framing(framing, head.version); reason != Reason::none) return reason;
  if (hosts > 1) return Reason::duplicate_host;
  if (hosts == 0) return Reason::missing_host;
  if (head.authority.empty()) return Reason::bad_host;
  if (const Reason reason = split_target(head, head.authority, arena); reason != Reason::none) return reason;
  if (expects > 0 && (bad_expect || expects > 1)) return Reason::bad_expect;
  // An HTTP/1.0 client that sends Expect is not waiting for anything (RFC 9110 §10.1.1).
  head.expect_continue = expects == 1 && head.version == Version::http11;
  if (framing.lengths == 1) {
    head.content_length = framing.length;
    out.framing = framing.length > 0 ? Framing::length : Framing::none;
  } else if (framing.codings == 1) {
    out.framing = Framing::chunked;
  }
  out.keep_alive = !close && (head.version == Version::http11 || keep_alive);
  if (connection_upgrade && head.version == Version::http11) out.upgrade = upgrade;
  head.fields.remove("host");
  return Reason::none;
}

ParseResult bound(ParseResult result, std::size_t bytes, const HeadLimits& limits) noexcept {
  if (result.status == ParseStatus::incomplete && bytes >= limits.header_bytes)
    return refused(Reason::header_too_large);
  if (result.status == ParseStatus::complete && result.consumed > limits.header_bytes) {
    return refused(Reason::header_too_large);
  }
  return result;
}

}  // namespace

bool head_may_be_complete(std::string_view bytes, std::size_t from) noexcept {
  return bytes.find('\n', from) != std::string_view::npos;
}

ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, Arena& arena, Http1Request& out) {
  out.head.fields.clear();
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  // One empty line before a request is forgiven: old clients send it behind a POST (RFC 9112 §2.2).
  if (at < end && *at == '\r') {
    if (at + 1 == end) return kIncomplete;
    if (at[1] != '\n') return refused(Reason::bare_cr);
    at += 2;
  }
  if (at == end) return kIncomplete;
  ParseResult result = parse_request_line(at, end, limits.uri_bytes, out.head);
  if (result.status == ParseStatus::complete) {
    const FieldLines lines{limits, !limits.allow_underscore_names, arena};
    result = parse_fields(at, end, lines, out.head.fields);
  }
  if (result.status == ParseStatus::complete) result.consumed = static_cast<std::size_t>(at - bytes.data());
  result = bound(result, bytes.size(), limits);
  if (result.status != ParseStatus::complete) return result;

  out.framing = Framing::none;
  out.upgrade = {};
  out.head.authority = {};
  out.head.scheme = {};
  out.head.protocol = {};
  out.head.content_length.reset();
  out.head.expect_continue = false;
  if (const Reason reason = interpret_request(out, arena); reason != Reason::none) return refused(reason);
  return result;
}

ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool to_head_request, Arena& arena,
                                Http1Response& out) {
  ResponseHead& head = out.head;
  head.fields.clear();
  const char* at = bytes.data();
  const char* const end = at + bytes.size();
  if (at == end) return kIncomplete;
  ParseResult result = parse_version(at, end, head.version);
  if (result.status == ParseStatus::refused) return refused(Reason::bad_status_line);
  if (result.status == ParseStatus::complete) {
    // " 200", then a space and a phrase, or (common, and harmless) the end of the line at once.
    if (end - at < 5) {
      result = kIncomplete;
    } else {
      const auto digit = [](char c) { return c >= '0' && c <= '9'; };
      if (at[0] != ' ' || !digit(at[1]) || !digit(at[2]) || !digit(at[3]) || (at[4] != ' ' && at[4] != '\r')) {
        return refused(Reason::bad_status_line);
      }
      head.status = (at[1] - '0') * 100 + (at[2] - '0') * 10 + (at[3] - '0');
      if (head.status < 100 || head.status > 599) return refused(Reason::bad_status_line);
      at = find_control(at + 4, end);
      result = line_end(at, end);
    }
  }
  if (result.status == ParseStatus::complete) {
    const FieldLines lines{limits, false, arena};
    result = parse_fields(at, end, lines, head.fields);
  }
  if (result.status == ParseStatus::complete) result.consumed = static_cast<std::size_t>(at - bytes.data());
  result = bound(result, bytes.size(), limits);
  if (result.status != ParseStatus::complete) return result;

  FramingFields framing;
  bool close = false, keep_alive = false;
  for (const Field& field : head.fields) {
    note_framing_field(field, framing);
    if (field.name == "connection") {
      close |= list_has_token(field.value, "close");
      keep_alive |= list_has_token(field.value, "keep-alive");
    }
  }
  if (const Reason reason = decide_framing(framing, head.version); reason != Reason::none) return refused(reason);
  head.content_length.reset();
  if (framing.lengths == 1) head.content_length = framing.length;
  const bool bodyless = to_head_request || head.status < 200 || head.status == 204 || head.status == 304;
  // A 1xx or 204 that carries framing is a desynchronisation waiting to happen (RFC 9110 §8.6, RFC 9112 §6.1).
  if ((head.status < 200 || head.status == 204) &&
      (framing.codings > 0 || (framing.lengths > 0 && framing.length > 0))) {
    return refused(framing.codings > 0 ? Reason::bad_transfer_encoding : Reason::bad_content_length);
  }
  out.framing = bodyless               ? Framing::none
                : framing.codings == 1 ? Framing::chunked
                : framing.lengths == 0 ? Framing::until_close
                : framing.length > 0   ? Framing::length
                                       : Framing::none;
  out.keep_alive = !close && out.framing != Framing::until_close && (head.version == Version::http11 || keep_alive);
  return result;
}

ChunkedDecoder::Status ChunkedDecoder::refuse(Reason reason) noexcept {
  state_ = State::refused;
  reason_ = reason;
  return Status::refused;
}

ChunkedDecoder::Status ChunkedDecoder::next(std::string_view& in, std::string_view& chunk) {
  const auto hex = [](char c) -> int {
    if (c >= '0' && c <= '9') return c - '0';
    const char l = static_cast<char>(c | 0x20);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
  };
  while (!in.empty()) {
    const char c = in.front();
    switch (state_) {
      case State::size: {
        if (const int digit = hex(c); digit >= 0) {
          if (++digits_ > 15) return refuse(Reason::bad_chunk);
          remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
        } else if (digits_ == 0) {
          return refuse(c == '\n' ? Reason::bare_lf : Reason::bad_chunk);
        } else if (c == ';') {
          state_ = State::extension;
        } else if (c == '\r') {
          state_ = State::size_lf;
        } else {
          return refuse(c == '\n' ? Reason::bare_lf : Reason::bad_chunk);
        }
        in.remove_prefix(1);
        break;
      }
      case State::extension: {
        const char* stop = find_control(in.data(), in.data() + in.size());
        const auto length = static_cast<std::size_t>(stop - in.data());
        overhead_ += static_cast<std::uint32_t>(length < kExtensionBytesTotalMax ? length : kExtensionBytesTotalMax);
        if (length > kExtensionBytesMax || overhead_ > kExtensionBytesTotalMax) return refuse(Reason::bad_chunk);
        in.remove_prefix(length);
        if (in.empty()) return Status::need_more;
        if (in.front() != '\r') return refuse(in.front() == '\n' ? Reason::bare_lf : Reason::bad_chunk);
        in.remove_prefix(1);
        state_ = State::size_lf;
        break;
      }
      case State::size_lf:
        if (c != '\n') return refuse(Reason::bare_cr);
        in.remove_prefix(1);
        digits_ = 0;
        state_ = remaining_ > 0 ? State::data : State::trailers;
        break;
      case State::data: {
        const std::size_t take = in.size() < remaining_ ? in.size() : static_cast<std::size_t>(remaining_);
        chunk = in.substr(0, take);
        in.remove_prefix(take);
        remaining_ -= take;
        if (remaining_ == 0) state_ = State::data_cr;
        return Status::data;
      }
      case State::data_cr:
        if (c != '\r') return refuse(c == '\n' ? Reason::bare_lf : Reason::bad_chunk);
        in.remove_prefix(1);
        state_ = State::data_lf;
        break;
      case State::data_lf:
        if (c != '\n') return refuse(Reason::bare_cr);
        in.remove_prefix(1);
        state_ = State::size;
        break;
      case State::trailers: return read_trailers(in);
      case State::done: return Status::done;
      case State::refused: return Status::refused;
    }
  }
  return state_ == State::refused ? Status::refused : state_ == State::done ? Status::done : Status::need_more;
}

ChunkedDecoder::Status ChunkedDecoder::read_trailers(std::string_view& in) {
  const std::size_t kept = trailer_bytes_.size();
  // Nearly every message has no trailers: the two bytes are looked at in place.
  if (kept == 0 && in.starts_with("\r\n")) {
    in.remove_prefix(2);
    state_ = State::done;
    return Status::done;
  }
  trailer_bytes_.append(in.substr(0, limits_->header_bytes + 1 - kept));
  trailers_.clear();
  trailer_arena_.reset();
  const char* at = trailer_bytes_.data();
  const FieldLines lines{*limits_, true, trailer_arena_};
  ParseResult result = parse_fields(at, at + trailer_bytes_.size(), lines, trailers_);
  if (result.status == ParseStatus::complete) result.consumed = static_cast<std::size_t>(at - trailer_bytes_.data());
  result = bound(result, trailer_bytes_.size(), *limits_);
  if (result.status == ParseStatus::refused) return refuse(result.reason);
  if (result.status == ParseStatus::incomplete) {
    in = {};
    return Status::need_more;
  }
  in.remove_prefix(result.consumed - kept);
  // RFC 9110 §6.5.1: nothing that frames, routes, authenticates or changes how the content is read.
  for (const Field& field : trailers_) {
    for (const std::string_view forbidden : {"content-length",
                                             "transfer-encoding",
                                             "host",
                                             "trailer",
                                             "te",
                                             "connection",
                                             "keep-alive",
                                             "proxy-connection",
                                             "upgrade",
                                             "expect",
                                             "authorization",
                                             "proxy-authorization",
                                             "cookie",
                                             "set-cookie",
                                             "content-encoding",
                                             "content-type",
                                             "content-range",
                                             "range",
                                             "cache-control",
                                             "max-forwards",
                                             "forwarded"}) {
      if (field.name == forbidden) return refuse(Reason::bad_trailer);
    }
    if (field.name.starts_with("x-forwarded-") || field.name.starts_with("x-gatehouse-"))
      return refuse(Reason::bad_trailer);
  }
  state_ = State::done;
  return Status::done;
}

}  // namespace gatehouse::http
