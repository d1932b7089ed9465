#pragma once
// One header block of HTTP/2 as it is decoded: bounded, checked field by field, and at its end checked as a whole
// (RFC 9113 §8.2 and §8.3, RFC 8441 §4).
//
// nghttp2's own message checks are switched off (`no_http_messaging`): they drop an invalid field silently where we
// refuse the message, they do not say why, and two sets of rules for one thing differ sooner or later. Everything that
// they hold is held here, each with its reason.
//
// One shard; one instance per connection, as blocks never interleave. Views stay valid until `clear` or the next
// `begin`: they point into reference-counted strings of the decoder, so that nothing is copied.

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string_view>
#include <vector>

#include "http/h2_limits.h"
#include "http/message.h"

namespace gatehouse::http {

class HeaderBlock {
 public:
  enum class Kind : std::uint8_t { request, response, trailers };

  explicit HeaderBlock(const H2Limits& limits) noexcept : limits_(limits) {}
  HeaderBlock(const HeaderBlock&) = delete;
  HeaderBlock& operator=(const HeaderBlock&) = delete;
  ~HeaderBlock() { clear(); }

  void begin(Kind kind);
  // false: the block has grown past any patience (H2Limits::kExpansionFactor). A block that is merely refused is
  // decoded to its end, because the compression state is the connection's.
  bool add(nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  // Checks the block as a whole; Reason::none when the message is good.
  Reason finish_request(bool tls, End end);
  Reason finish_response(bool to_head_request, End end);
  Reason finish_trailers() const noexcept { return reason_; }
  void clear() noexcept;

  const RequestHead& request() const noexcept { return request_; }
  const ResponseHead& response() const noexcept { return response_; }
  const Fields& trailers() const noexcept { return *fields_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  Reason check_pseudo(std::string_view name, std::string_view value);
  Reason check_field(std::string_view name, std::string_view value);
  Reason take_once(std::uint8_t bit) noexcept;
  Reason check_target() const noexcept;
  Reason check_authority();

  const H2Limits& limits_;
  RequestHead request_;
  ResponseHead response_;
  Fields* fields_ = &request_.fields;
  std::vector<nghttp2_rcbuf*> held_;
  std::string_view host_;
  std::size_t bytes_ = 0, count_ = 0;
  std::uint64_t content_length_ = 0;
  Kind kind_ = Kind::request;
  Reason reason_ = Reason::none;
  std::uint8_t seen_ = 0;  // which pseudo-fields and which of our own came
  bool regular_ = false;   // a field that is no pseudo-field came: no pseudo-field may follow
  bool has_host_ = false, has_length_ = false, expects_ = false;
};

}  // namespace gatehouse::http
