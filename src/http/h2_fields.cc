#include "http/h2_fields.h"

#include <algorithm>
#include <array>
#include <utility>

namespace gatehouse::http {
namespace {

constexpr std::uint8_t kMethod = 1, kScheme = 2, kAuthority = 4, kPath = 8, kProtocol = 16, kStatus = 32;
constexpr std::size_t kFieldOverhead = 32;  // RFC 9113 §6.5.2
constexpr std::size_t kKeptFields = 64;     // capacity that an idle connection keeps

enum class NameByte : std::uint8_t { bad, good, upper };
constexpr auto kNameBytes = [] {
  std::array<NameByte, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = NameByte::good;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = NameByte::good;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = NameByte::upper;
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) table[c] = NameByte::good;
  return table;
}();

// RFC 3986 §3.2.2 and §3.2.3 without userinfo: what may stand in a host and a port.
constexpr auto kAuthorityBytes = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = true;
  for (char c : {'-', '.', '_', '~', '!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '[', ']', '%'}) {
    table[c] = true;
  }
  return table;
}();

std::string_view view(nghttp2_rcbuf* buffer) noexcept {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(buffer);
  return {reinterpret_cast<const char*>(bytes.base), bytes.len};
}

bool is_space(char c) noexcept { return c == ' ' || c == '\t'; }

Reason check_name(std::string_view name) noexcept {
  bool upper = false;
  for (const char c : name) {
    const NameByte kind = kNameBytes[static_cast<unsigned char>(c)];
    if (kind == NameByte::bad) return Reason::bad_field_name;
    upper |= kind == NameByte::upper;
  }
  return name.empty() ? Reason::bad_field_name : upper ? Reason::h2_uppercase_name : Reason::none;
}

// RFC 9113 §8.2.1; CR, LF and NUL are among the control bytes.
Reason check_value(std::string_view value) noexcept {
  if (!is_field_value(value)) return Reason::control_byte;
  if (!value.empty() && (is_space(value.front()) || is_space(value.back()))) return Reason::leading_space;
  return Reason::none;
}

bool parse_length(std::string_view digits, std::uint64_t& out) noexcept {
  if (digits.empty() || digits.size() > 18) return false;  // eighteen digits cannot overflow
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  out = value;
  return true;
}

// RFC 9113 §8.2.2: fields that speak of the connection in HTTP/1 make a message malformed.
bool is_connection_specific(std::string_view name) noexcept {
  switch (name.size()) {
    case 7: return name == "upgrade";
    case 10: return name == "connection" || name == "keep-alive";
    case 16: return name == "proxy-connection";
    case 17: return name == "transfer-encoding";
    default: return false;
  }
}

}  // namespace

void HeaderBlock::begin(Kind kind) {
  clear();
  kind_ = kind;
  switch (kind) {
    case Kind::request:
    case Kind::trailers: fields_ = &request_.fields; break;
    case Kind::response: fields_ = &response_.fields; break;
  }
}

void HeaderBlock::clear() noexcept {
  for (nghttp2_rcbuf* buffer : held_) nghttp2_rcbuf_decref(buffer);
  held_.clear();
  Fields fields = std::move(request_.fields);
  fields.clear();
  request_ = RequestHead{};
  request_.version = Version::http2;
  if (count_ <= kKeptFields) request_.fields = std::move(fields);
  response_.fields.clear();
  response_.status = 0;
  response_.version = Version::http2;
  response_.content_length.reset();
  if (count_ > kKeptFields) response_.fields = Fields{}, held_ = {};
  host_ = {};
  bytes_ = count_ = 0;
  content_length_ = 0;
  reason_ = Reason::none;
  seen_ = 0;
  regular_ = has_host_ = has_length_ = expects_ = false;
}

bool HeaderBlock::add(nghttp2_rcbuf* name_buffer, nghttp2_rcbuf* value_buffer) {
  const std::string_view name = view(name_buffer), value = view(value_buffer);
  bytes_ += name.size() + value.size() + kFieldOverhead;
  ++count_;
  if (bytes_ > H2Limits::kExpansionFactor * limits_.header_bytes ||
      count_ > H2Limits::kExpansionFactor * limits_.headers)
    return false;
  if (reason_ != Reason::none) return true;
  if (bytes_ > limits_.header_bytes) {
    reason_ = Reason::header_too_large;
  } else if (count_ > limits_.headers) {
    reason_ = Reason::too_many_headers;
  } else {
    // What is added below must outlive the decoder's table.
    if (!nghttp2_rcbuf_is_static(name_buffer)) {
      nghttp2_rcbuf_incref(name_buffer);
      held_.push_back(name_buffer);
    }
    if (!nghttp2_rcbuf_is_static(value_buffer)) {
      nghttp2_rcbuf_incref(value_buffer);
      held_.push_back(value_buffer);
    }
    reason_ = !name.empty() && name.front() == ':' ? check_pseudo(name, value) : check_field(name, value);
  }
  return true;
}

Reason HeaderBlock::take_once(std::uint8_t bit) noexcept {
  if (seen_ & bit) return Reason::h2_bad_pseudo_header;
  seen_ = static_cast<std::uint8_t>(seen_ | bit);
  return Reason::none;
}

Reason HeaderBlock::check_pseudo(std::string_view name, std::string_view value) {
  if (regular_ || kind_ == Kind::trailers) {
    return kind_ == Kind::trailers ? Reason::bad_trailer : Reason::h2_bad_pseudo_header;
  }
  if (kind_ == Kind::response) {
    if (name != ":status" || value.size() != 3) return Reason::h2_bad_pseudo_header;
    int status = 0;
    for (const char c : value) {
      if (c < '0' || c > '9') return Reason::h2_bad_pseudo_header;
      status = status * 10 + (c - '0');
    }
    if (status < 100 || status > 599) return Reason::h2_bad_pseudo_header;
    response_.status = status;
    return take_once(kStatus);
  }
  if (name == ":method") {
    request_.method = value;
    return is_token(value) ? take_once(kMethod) : Reason::bad_method;
  }
  if (name == ":path") {
    request_.target = value;
    return take_once(kPath);
  }
  if (name == ":scheme") {
    // From the connection, as in HTTP/1: a peer's claim does not make a plain connection secure.
    return value == "http" || value == "https" ? take_once(kScheme) : Reason::h2_bad_pseudo_header;
  }
  if (name == ":authority") {
    request_.authority = value;
    return take_once(kAuthority);
  }
  if (name == ":protocol") {
    request_.protocol = value;
    return is_token(value) ? take_once(kProtocol) : Reason::h2_bad_pseudo_header;
  }
  return Reason::h2_bad_pseudo_header;
}

Reason HeaderBlock::check_field(std::string_view name, std::string_view value) {
  regular_ = true;
  if (const Reason reason = check_name(name); reason != Reason::none) return reason;
  if (const Reason reason = check_value(value); reason != Reason::none) return reason;
  if (is_connection_specific(name)) return Reason::h2_connection_header;
  if (kind_ == Kind::trailers && is_forbidden_in_trailers(name)) return Reason::bad_trailer;
  switch (name.size()) {
    case 2:
      if (name == "te" && !equals_ignoring_case(value, "trailers")) return Reason::h2_connection_header;
      break;
    case 4:
      if (name == "host" && kind_ == Kind::request) {
        if (std::exchange(has_host_, true)) return Reason::duplicate_host;
        host_ = value;
        return Reason::none;
      }
      break;
    case 6:
      if (name == "expect" && kind_ == Kind::request) {
        if (std::exchange(expects_, true) || !equals_ignoring_case(value, "100-continue")) return Reason::bad_expect;
      }
      break;
    case 14:
      if (name == "content-length") {
        if (std::exchange(has_length_, true)) return Reason::duplicate_content_length;
        if (!parse_length(value, content_length_)) return Reason::bad_content_length;
      }
      break;
    default: break;
  }
  if (!limits_.allow_underscore_names && name.find('_') != std::string_view::npos) return Reason::underscore_in_name;
  fields_->add(name, value);
  return Reason::none;
}

Reason HeaderBlock::check_target() const noexcept {
  const std::string_view target = request_.target;
  if (target.size() > limits_.uri_bytes) return Reason::uri_too_long;
  if (target == "*") return request_.method == "OPTIONS" ? Reason::none : Reason::bad_target;
  if (target.empty() || target.front() != '/') return Reason::bad_target;
  const bool clean = std::all_of(target.begin(), target.end(),
                                 [](char c) { return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '#'; });
  return clean ? Reason::none : Reason::bad_target;
}

Reason HeaderBlock::check_authority() {
  if (!(seen_ & kAuthority)) {
    if (!has_host_) return Reason::missing_host;
    request_.authority = host_;
  } else if (has_host_ && !equals_ignoring_case(host_, request_.authority)) {
    return Reason::authority_mismatch;
  }
  const std::string_view authority = request_.authority;
  if (authority.empty()) return Reason::bad_host;
  const bool clean = std::all_of(authority.begin(), authority.end(),
                                 [](char c) { return kAuthorityBytes[static_cast<unsigned char>(c)]; });
  return clean ? Reason::none : Reason::bad_host;
}

Reason HeaderBlock::finish_request(bool tls, End end) {
  request_.scheme = tls ? "https" : "http";
  if (reason_ != Reason::none) return reason_;
  const bool tunnel = seen_ & kProtocol;
  if (!(seen_ & kMethod)) return Reason::h2_bad_pseudo_header;
  if (request_.method == "CONNECT" && !tunnel) return Reason::bad_method;  // we are no forward proxy
  if (tunnel && request_.method != "CONNECT") return Reason::h2_bad_pseudo_header;
  if (!(seen_ & kScheme) || !(seen_ & kPath)) return Reason::h2_bad_pseudo_header;
  if (const Reason reason = check_target(); reason != Reason::none) return reason;
  if (const Reason reason = check_authority(); reason != Reason::none) return reason;
  if (has_length_) {
    request_.content_length = content_length_;
    if (end == End::yes && content_length_ != 0) return Reason::content_length_mismatch;
  }
  request_.expect_continue = expects_ && end == End::no;
  return Reason::none;
}

Reason HeaderBlock::finish_response(bool to_head_request, End end) {
  if (reason_ != Reason::none) return reason_;
  if (!(seen_ & kStatus)) return Reason::h2_bad_pseudo_header;
  const int status = response_.status;
  // RFC 9113 §8.6: there is no 101; an interim response cannot end the stream.
  if (status == 101 || (status < 200 && end == End::yes)) return Reason::h2_protocol_error;
  if (!has_length_) return Reason::none;
  if (status < 200 || status == 204) {  // RFC 9110 §8.6: they have no length; a zero does no harm
    return content_length_ == 0 ? Reason::none : Reason::bad_content_length;
  }
  response_.content_length = content_length_;
  const bool bodyless = to_head_request || status == 304;
  if (end == End::yes && content_length_ != 0 && !bodyless) return Reason::content_length_mismatch;
  return Reason::none;
}

}  // namespace gatehouse::http
