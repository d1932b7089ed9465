#pragma once
// The strict HTTP/1.1 syntax (RFC 9112): heads and chunked bodies, bytes in, values out. No I/O, no allocation beyond
// the scratch that the caller owns.
//
// What a lenient parser accepts, two parsers read differently; so everything that is not plainly well-formed is
// refused: bare LF and CR, obs-fold, space around names, doubtful lengths and codings (the list is docs/strictness.md).
//
// A head is parsed in one go from a contiguous buffer. When it is incomplete the caller keeps the bytes and calls again
// with more; `head_may_be_complete` tells whether that is worth it, which bounds the work for a head that trickles in
// to one parse per line. Every split of the input gives the same result.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace gatehouse::http {

struct HeadLimits {
  std::size_t header_bytes = 32 * 1024;  // the whole head, request line included
  std::size_t headers = 100;
  std::size_t uri_bytes = 8 * 1024;
  bool allow_underscore_names = false;
};

enum class ParseStatus : std::uint8_t { complete, incomplete, refused };

struct ParseResult {
  ParseStatus status;
  Reason reason = Reason::none;  // when refused
  std::size_t consumed = 0;      // bytes of the head when complete
};

enum class Framing : std::uint8_t { none, length, chunked, until_close };

struct Http1Request {
  RequestHead head;
  Framing framing = Framing::none;
  bool keep_alive = true;    // what the request allows
  std::string_view upgrade;  // the protocols asked for; empty: an ordinary request
};

struct Http1Response {
  ResponseHead head;
  Framing framing = Framing::none;
  bool keep_alive = true;
};

// Lower-cased names go into `arena`; everything else are views into `bytes`. Hop-by-hop fields are kept: who forwards
// the head removes them. Only `upgrade` goes when it asks for nothing (HTTP/1.0, no `Connection: upgrade`, content).
// When refused, `out.head` holds what was read up to there, and nothing older.
ParseResult parse_request_head(std::string_view bytes, const HeadLimits& limits, Arena& arena, Http1Request& out);

// `to_head_request`: the response answers a HEAD, so it has no content whatever its fields say (RFC 9112 §6.3).
ParseResult parse_response_head(std::string_view bytes, const HeadLimits& limits, bool to_head_request, Arena& arena,
                                Http1Response& out);

// Does what was appended from `from` on hold the end of a line? Only then can a parse get further.
bool head_may_be_complete(std::string_view bytes, std::size_t from) noexcept;

// Chunked transfer coding (RFC 9112 §7.1). Extensions are read past, bounded, and never forwarded.
class ChunkedDecoder {
 public:
  enum class Status : std::uint8_t { need_more, data, done, refused };

  explicit ChunkedDecoder(const HeadLimits& limits) noexcept : limits_(&limits) {}

  // Takes bytes from the front of `in`. On `data`, `chunk` is content, a view into what `in` was. On `done`,
  // `trailers()` is complete and `in` begins with what follows the message.
  Status next(std::string_view& in, std::string_view& chunk);
  Reason reason() const noexcept { return reason_; }
  const Fields& trailers() const noexcept { return trailers_; }

 private:
  enum class State : std::uint8_t { size, extension, size_lf, data, data_cr, data_lf, trailers, done, refused };
  Status refuse(Reason reason) noexcept;
  bool read_size(char c) noexcept;
  bool read_extension(std::string_view& in) noexcept;
  Status read_trailers(std::string_view& in);

  const HeadLimits* limits_;
  State state_ = State::size;
  Reason reason_ = Reason::none;
  std::uint8_t digits_ = 0;
  std::uint64_t remaining_ = 0;
  std::uint32_t extension_ = 0;  // bytes of extensions in this size line
  std::uint32_t overhead_ = 0;   // and over the whole message
  std::string trailer_bytes_;
  Arena trailer_arena_{512};
  Fields trailers_;
};

}  // namespace gatehouse::http
