#pragma once
// HTTP messages as values (RFC 9110), the same for HTTP/1.1 and HTTP/2.
//
// Views: everything here is a view. In a codec's callback it points into the connection's buffer and dies with the
// call; what must outlive the call is copied into the request's arena (`CanonicalRequest` does). Invariant: field names
// are lower case; a codec that read anything else has converted or refused it.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace gatehouse::http {

enum class Version : std::uint8_t { http10, http11, http2 };
std::string_view version_name(Version version) noexcept;  // "HTTP/1.1"

// Is this the last that the sender says?
enum class End : bool { no, yes };

struct Field {
  std::string_view name;   // lower case
  std::string_view value;  // without surrounding white space
};

// Fields in the order they came. Lookups are linear: messages have a dozen, and the codecs bound the number.
class Fields {
 public:
  void add(std::string_view name, std::string_view value) { fields_.push_back({name, value}); }
  // Replaces the first field of that name, removes the others, or adds it.
  void set(std::string_view name, std::string_view value);
  std::size_t remove(std::string_view name);                                  // how many there were
  std::optional<std::string_view> get(std::string_view name) const noexcept;  // the first
  bool has(std::string_view name) const noexcept { return get(name).has_value(); }
  std::size_t count(std::string_view name) const noexcept;
  // Does a comma-separated field (in any of its lines) hold this token, compared without case? "keep-alive, Upgrade"
  bool has_token(std::string_view name, std::string_view token) const noexcept;

  void clear() noexcept { fields_.clear(); }
  void reserve(std::size_t count) { fields_.reserve(count); }
  std::size_t size() const noexcept { return fields_.size(); }
  bool empty() const noexcept { return fields_.empty(); }
  auto begin() const noexcept { return fields_.begin(); }
  auto end() const noexcept { return fields_.end(); }
  auto begin() noexcept { return fields_.begin(); }
  auto end() noexcept { return fields_.end(); }
  template <class Predicate>
  void remove_if(Predicate predicate) {
    std::erase_if(fields_, predicate);
  }

 private:
  std::vector<Field> fields_;
};

struct RequestHead {
  std::string_view method;
  std::string_view scheme;     // "http" or "https"; from the connection in HTTP/1
  std::string_view authority;  // the Host field or :authority, as it came
  std::string_view target;     // origin-form path and query, or "*"; as it came
  std::string_view protocol;   // :protocol of an extended CONNECT (RFC 8441), else empty
  Version version = Version::http11;
  Fields fields;  // without host and without the pseudo-fields
  std::optional<std::uint64_t> content_length;
  bool expect_continue = false;
};

struct ResponseHead {
  int status = 0;  // 100 to 599
  Version version = Version::http11;
  Fields fields;
  std::optional<std::uint64_t> content_length;
};

// Why a message was refused. `reason_code` is the stable spelling in logs and metrics ("http.te_and_cl").
enum class Reason : std::uint8_t {
  none,
  // HTTP/1 syntax (RFC 9112)
  bad_request_line,
  bad_method,
  bad_target,
  bad_version,
  bare_lf,
  bare_cr,
  control_byte,
  bad_field_name,
  space_before_colon,
  obs_fold,
  leading_space,
  missing_colon,
  underscore_in_name,
  bad_status_line,
  // framing (RFC 9112 §6)
  te_and_cl,
  bad_content_length,
  duplicate_content_length,
  bad_transfer_encoding,
  te_in_http10,
  bad_chunk,
  bad_trailer,
  content_length_mismatch,
  // routing (RFC 9112 §3.2)
  missing_host,
  duplicate_host,
  bad_host,
  authority_mismatch,
  // canonical form (RFC 3986 §6)
  bad_escape,
  encoded_slash,
  encoded_nul,
  encoded_backslash,
  backslash,
  overlong_utf8,
  dot_segments,  // leaves the root
  // bounds
  header_too_large,
  too_many_headers,
  uri_too_long,
  body_too_large,
  header_timeout,
  body_too_slow,
  // other
  bad_expect,
  upgrade_not_allowed,
  bad_upgrade,
  duplicate_field,  // a repeated field that must be single: Authorization, Content-Type, Origin
  // HTTP/2 (RFC 9113)
  h2_bad_pseudo_header,
  h2_connection_header,
  h2_uppercase_name,
  h2_protocol_error,
  h2_rapid_reset,
  h2_provoked_reset,
  h2_continuation_flood,
  h2_settings_flood,
  h2_ping_flood,
  h2_empty_frame_flood,
  h2_window_flood,
  h2_hpack_expansion,
  // the peer
  peer_closed,
  truncated,
  count_,
};
std::string_view reason_code(Reason reason) noexcept;  // "http.te_and_cl"
int reason_status(Reason reason) noexcept;  // the 4xx a request refused for it gets: 400, 408, 413, 414, 417, 431

// Is `name` a token (RFC 9110 §5.6.2)? Empty is not.
bool is_token(std::string_view name) noexcept;
// A field value: visible bytes, space, tab and bytes above 0x7f (RFC 9110 §5.5).
bool is_field_value(std::string_view value) noexcept;
// RFC 9110 §9.2.2: GET, HEAD, PUT, DELETE, OPTIONS, TRACE.
bool is_idempotent(std::string_view method) noexcept;
// Connection, Keep-Alive, Proxy-Connection, TE, Trailer, Transfer-Encoding, Upgrade (RFC 9110 §7.6.1).
bool is_hop_by_hop(std::string_view lower_case_name) noexcept;
// What may not stand in trailers (RFC 9110 §6.5.1): nothing that frames, routes, authenticates, or changes how the
// content is read.
bool is_forbidden_in_trailers(std::string_view lower_case_name) noexcept;
bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
// Does a comma-separated list hold this token, compared without case?
bool list_has_token(std::string_view list, std::string_view token) noexcept;
std::string_view status_text(int status) noexcept;  // "Not Found"; empty when unknown

}  // namespace gatehouse::http
