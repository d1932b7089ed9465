#include "http/message.h"

#include <algorithm>
#include <array>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gatehouse::http {
namespace {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

constexpr auto kToken = [] {
  std::array<bool, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = true;
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

struct ReasonText {
  Reason reason;
  std::string_view code;
  int status;
};

// In the order of the enum; `reason_table_is_complete` holds that at compile time.
constexpr ReasonText kReasons[] = {
    {Reason::none, "", 200},
    {Reason::bad_request_line, "http.request_line", 400},
    {Reason::bad_method, "http.method", 400},
    {Reason::bad_target, "http.target", 400},
    {Reason::bad_version, "http.version", 400},
    {Reason::bare_lf, "http.bare_lf", 400},
    {Reason::bare_cr, "http.bare_cr", 400},
    {Reason::control_byte, "http.control_byte", 400},
    {Reason::bad_field_name, "http.field_name", 400},
    {Reason::space_before_colon, "http.space_before_colon", 400},
    {Reason::obs_fold, "http.obs_fold", 400},
    {Reason::leading_space, "http.leading_space", 400},
    {Reason::missing_colon, "http.missing_colon", 400},
    {Reason::underscore_in_name, "http.underscore_in_name", 400},
    {Reason::bad_status_line, "http.status_line", 502},
    {Reason::te_and_cl, "http.te_and_cl", 400},
    {Reason::bad_content_length, "http.content_length", 400},
    {Reason::duplicate_content_length, "http.duplicate_content_length", 400},
    {Reason::bad_transfer_encoding, "http.transfer_encoding", 400},
    {Reason::te_in_http10, "http.te_in_http10", 400},
    {Reason::bad_chunk, "http.chunk", 400},
    {Reason::bad_trailer, "http.trailer", 400},
    {Reason::content_length_mismatch, "http.content_length_mismatch", 400},
    {Reason::missing_host, "http.missing_host", 400},
    {Reason::duplicate_host, "http.duplicate_host", 400},
    {Reason::bad_host, "http.host", 400},
    {Reason::authority_mismatch, "http.authority_mismatch", 400},
    {Reason::bad_escape, "http.escape", 400},
    {Reason::encoded_slash, "http.encoded_slash", 400},
    {Reason::encoded_nul, "http.encoded_nul", 400},
    {Reason::encoded_backslash, "http.encoded_backslash", 400},
    {Reason::backslash, "http.backslash", 400},
    {Reason::overlong_utf8, "http.overlong_utf8", 400},
    {Reason::dot_segments, "http.dot_segments", 400},
    {Reason::header_too_large, "http.header_too_large", 431},
    {Reason::too_many_headers, "http.too_many_headers", 431},
    {Reason::uri_too_long, "http.uri_too_long", 414},
    {Reason::body_too_large, "http.body_too_large", 413},
    {Reason::header_timeout, "http.header_timeout", 408},
    {Reason::body_too_slow, "http.body_too_slow", 408},
    {Reason::bad_expect, "http.expect", 417},
    {Reason::upgrade_not_allowed, "http.upgrade_not_allowed", 400},
    {Reason::bad_upgrade, "http.upgrade", 400},
    {Reason::duplicate_field, "http.duplicate_field", 400},
    {Reason::h2_bad_pseudo_header, "http.h2_pseudo_header", 400},
    {Reason::h2_connection_header, "http.h2_connection_header", 400},
    {Reason::h2_uppercase_name, "http.h2_uppercase_name", 400},
    {Reason::h2_protocol_error, "http.h2_protocol_error", 400},
    {Reason::h2_rapid_reset, "http.h2_rapid_reset", 429},
    {Reason::h2_provoked_reset, "http.h2_provoked_reset", 429},
    {Reason::h2_continuation_flood, "http.h2_continuation_flood", 429},
    {Reason::h2_settings_flood, "http.h2_settings_flood", 429},
    {Reason::h2_ping_flood, "http.h2_ping_flood", 429},
    {Reason::h2_empty_frame_flood, "http.h2_empty_frame_flood", 429},
    {Reason::h2_window_flood, "http.h2_window_flood", 429},
    {Reason::h2_hpack_expansion, "http.h2_hpack_expansion", 431},
    {Reason::peer_closed, "http.peer_closed", 400},
    {Reason::truncated, "http.truncated", 400},
};

constexpr bool reason_table_is_complete() {
  if (std::size(kReasons) != static_cast<std::size_t>(Reason::count_)) return false;
  for (std::size_t i = 0; i < std::size(kReasons); ++i) {
    if (static_cast<std::size_t>(kReasons[i].reason) != i) return false;
  }
  return true;
}
static_assert(reason_table_is_complete());

}  // namespace

std::string_view version_name(Version version) noexcept {
  switch (version) {
    case Version::http10: return "HTTP/1.0";
    case Version::http11: return "HTTP/1.1";
    case Version::http2: return "HTTP/2";
  }
  return "";
}

void Fields::set(std::string_view name, std::string_view value) {
  bool replaced = false;
  std::erase_if(fields_, [&](Field& field) {
    if (field.name != name) return false;
    if (replaced) return true;
    field.value = value;
    replaced = true;
    return false;
  });
  if (!replaced) add(name, value);
}

std::size_t Fields::remove(std::string_view name) {
  return std::erase_if(fields_, [&](const Field& field) { return field.name == name; });
}

std::optional<std::string_view> Fields::get(std::string_view name) const noexcept {
  for (const Field& field : fields_) {
    if (field.name == name) return field.value;
  }
  return std::nullopt;
}

std::size_t Fields::count(std::string_view name) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(fields_.begin(), fields_.end(), [&](const Field& field) { return field.name == name; }));
}

bool Fields::has_token(std::string_view name, std::string_view token) const noexcept {
  return std::any_of(fields_.begin(), fields_.end(),
                     [&](const Field& field) { return field.name == name && list_has_token(field.value, token); });
}

bool list_has_token(std::string_view list, std::string_view token) noexcept {
  while (!list.empty()) {
    const auto comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    while (!part.empty() && (part.front() == ' ' || part.front() == '\t')) part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '\t')) part.remove_suffix(1);
    if (equals_ignoring_case(part, token)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

std::string_view reason_code(Reason reason) noexcept {
  return reason < Reason::count_ ? kReasons[static_cast<std::size_t>(reason)].code : std::string_view{};
}

int reason_status(Reason reason) noexcept {
  return reason < Reason::count_ ? kReasons[static_cast<std::size_t>(reason)].status : 400;
}

bool is_token(std::string_view name) noexcept {
  return !name.empty() &&
         std::all_of(name.begin(), name.end(), [](char c) { return kToken[static_cast<unsigned char>(c)]; });
}

bool is_field_value(std::string_view value) noexcept {
  const char* at = value.data();
  const char* const end = at + value.size();
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(0x20), tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // unsigned v >= 0x20 <=> max(v, 0x20) == v
    const __m128i visible = _mm_cmpeq_epi8(_mm_max_epu8(v, space), v);
    const __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(v, del), _mm_or_si128(visible, _mm_cmpeq_epi8(v, tab)));
    if (_mm_movemask_epi8(good) != 0xffff) return false;
  }
#endif
  return std::all_of(at, end, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
  });
}

bool is_idempotent(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" || method == "OPTIONS" ||
         method == "TRACE";
}

bool is_hop_by_hop(std::string_view name) noexcept {
  switch (name.size()) {
    case 2: return name == "te";
    case 7: return name == "trailer" || name == "upgrade";
    case 10: return name == "connection" || name == "keep-alive";
    case 16: return name == "proxy-connection";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

bool is_forbidden_in_trailers(std::string_view name) noexcept {
  constexpr std::string_view kForbidden[] = {"authorization",
                                             "cache-control",
                                             "connection",
                                             "content-encoding",
                                             "content-length",
                                             "content-range",
                                             "content-type",
                                             "cookie",
                                             "expect",
                                             "forwarded",
                                             "host",
                                             "keep-alive",
                                             "max-forwards",
                                             "proxy-authorization",
                                             "proxy-connection",
                                             "range",
                                             "set-cookie",
                                             "te",
                                             "trailer",
                                             "transfer-encoding",
                                             "upgrade"};
  return std::find(std::begin(kForbidden), std::end(kForbidden), name) != std::end(kForbidden) ||
         name.starts_with("x-forwarded-") || name.starts_with("x-gatehouse-");
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view status_text(int status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "";
  }
}

}  // namespace gatehouse::http
