#include <algorithm>

#include "http/http1_parser.h"
#include "http/http1_syntax.h"

namespace gatehouse::http {
namespace {

// A chunk's size line may carry this many bytes of extensions, and the whole message sixteen times as many: nothing
// uses them, and they cost the receiver more than the sender (CVE-2023-39326).
constexpr std::size_t kExtensionBytesMax = 256;
constexpr std::size_t kExtensionBytesTotalMax = 16 * kExtensionBytesMax;
constexpr unsigned kSizeDigitsMax = 15;  // cannot overflow, and no chunk is larger

// RFC 9110 §6.5.1: nothing that frames, routes, authenticates or changes how the content is read.
bool forbidden_in_trailers(std::string_view name) noexcept {
  constexpr std::string_view kForbidden[] = {
      "authorization",
      "cache-control",
      "connection",
      "content-encoding",
      "content-length",
      "content-location",
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
      "upgrade",
      "www-authenticate",
  };
  return std::find(std::begin(kForbidden), std::end(kForbidden), name) != std::end(kForbidden) ||
         name.starts_with("x-forwarded-") || name.starts_with("x-gatehouse-");
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

ChunkedDecoder::Status ChunkedDecoder::refuse(Reason reason) noexcept {
  state_ = State::refused;
  reason_ = reason;
  return Status::refused;
}

ChunkedDecoder::Status ChunkedDecoder::next(std::string_view& in, std::string_view& chunk) {
  while (!in.empty()) {
    const char c = in.front();
    switch (state_) {
      case State::size:
        if (!read_size(c)) return Status::refused;
        in.remove_prefix(1);
        break;
      case State::extension:
        if (!read_extension(in)) return Status::refused;
        break;
      case State::size_lf:
        if (c != '\n') return refuse(Reason::bare_cr);
        in.remove_prefix(1);
        digits_ = 0;
        extension_ = 0;
        state_ = remaining_ > 0 ? State::data : State::trailers;
        break;
      case State::data: {
        const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(in.size(), remaining_));
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

// One byte of the size line up to the extensions. Not even white space may follow the digits.
bool ChunkedDecoder::read_size(char c) noexcept {
  if (const int digit = hex_digit(c); digit >= 0) {
    if (++digits_ > kSizeDigitsMax) return refuse(Reason::bad_chunk), false;
    remaining_ = remaining_ * 16 + static_cast<unsigned>(digit);
    return true;
  }
  if (c == '\n') return refuse(Reason::bare_lf), false;
  if (digits_ == 0 || (c != ';' && c != '\r')) return refuse(Reason::bad_chunk), false;
  state_ = c == ';' ? State::extension : State::size_lf;
  return true;
}

bool ChunkedDecoder::read_extension(std::string_view& in) noexcept {
  // Byte by byte up to the bound, so that the verdict is the same however the line was split.
  const std::size_t room = std::min(kExtensionBytesMax - extension_, kExtensionBytesTotalMax - overhead_);
  const char* const from = in.data();
  const char* const stop = find_control(from, from + std::min(in.size(), room));
  const auto length = static_cast<std::size_t>(stop - from);
  extension_ += static_cast<std::uint32_t>(length);
  overhead_ += static_cast<std::uint32_t>(length);
  in.remove_prefix(length);
  if (in.empty()) return true;
  if (in.front() != '\r') return refuse(in.front() == '\n' ? Reason::bare_lf : Reason::bad_chunk), false;
  in.remove_prefix(1);
  state_ = State::size_lf;
  return true;
}

ChunkedDecoder::Status ChunkedDecoder::read_trailers(std::string_view& in) {
  const std::size_t kept = trailer_bytes_.size();
  // Nearly every message has no trailers: the two bytes are looked at in place.
  if (kept == 0 && in.starts_with("\r\n")) {
    in.remove_prefix(2);
    state_ = State::done;
    return Status::done;
  }
  // As with heads: one parse for each line that came, or trailers that trickle in cost the square of their length.
  trailer_bytes_.append(in.substr(0, limits_->header_bytes - kept));
  const bool full = trailer_bytes_.size() >= limits_->header_bytes;
  if (!full && !head_may_be_complete(trailer_bytes_, kept)) {
    in = {};
    return Status::need_more;
  }
  trailers_.clear();
  trailer_arena_.reset();
  const char* at = trailer_bytes_.data();
  const FieldRules rules{limits_->headers, limits_->allow_underscore_names};
  const ParseResult result = parse_field_lines(at, at + trailer_bytes_.size(), rules, trailer_arena_, trailers_);
  if (result.status == ParseStatus::refused) return refuse(result.reason);
  if (result.status == ParseStatus::incomplete) {
    if (full) return refuse(Reason::header_too_large);
    in = {};
    return Status::need_more;
  }
  in.remove_prefix(static_cast<std::size_t>(at - trailer_bytes_.data()) - kept);
  for (const Field& field : trailers_) {
    if (forbidden_in_trailers(field.name)) return refuse(Reason::bad_trailer);
  }
  state_ = State::done;
  return Status::done;
}

}  // namespace gatehouse::http
