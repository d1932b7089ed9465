#pragma once
// Bodies with a Content-Encoding, decoded for inspection under bounds, whole or as they come: a bomb is an error after
// few bytes.
//
// Stricter than RFC 9110 §8.4.1 asks, since the upstream decodes by itself and must not see other bytes than the rules:
// one coding, no raw deflate, one gzip member unless told otherwise, nothing behind the end of the compressed data.
// Thread safety: functions without state; a decoder has one owner. Linear in the decoded bytes.
// Source: RFC 9110 §8.4, RFC 1950, RFC 1952, RFC 7932.

#include <memory>
#include <string>

#include "waf/body/body.h"

namespace gatehouse::waf {

enum class ContentCoding : std::uint8_t { identity, gzip, deflate, br, unknown };

// Of a Content-Encoding field; a list, even of one known coding twice, is unknown.
ContentCoding content_coding_of(std::string_view field) noexcept;

// Of one body, in pieces of any size.
class ContentDecoder {
 public:
  enum class Step : std::uint8_t {
    needs_input,  // all of the bytes are taken
    has_more,     // the room is used up
    ended,        // the compressed data: bytes that are left are behind it
    malformed,
  };

  // Null for what is not compressed or not known. `gzip_members`: several in a row are one body.
  static std::unique_ptr<ContentDecoder> create(ContentCoding coding, bool gzip_members);
  virtual ~ContentDecoder() = default;

  // Takes bytes away from the front of `bytes`, and appends at most `room` decoded ones to `out`.
  virtual Step decode(std::string_view& bytes, std::size_t room, std::string& out) = 0;
  // What it has on the heap: up to some 40 KiB, of brotli as much as the sender's window has, 16 MiB at most.
  std::size_t bytes() const noexcept { return bytes_; }

 protected:
  static void* allocate(void* decoder, std::size_t bytes) noexcept;
  static void release(void* decoder, void* at) noexcept;

 private:
  std::size_t bytes_ = 0;
};

struct DecodingLimits {
  std::size_t bytes_max = 16 << 20;
  std::size_t ratio_max = 200;                 // decoded bytes for one of the body, beyond:
  std::size_t bytes_without_ratio = 64 << 10;  // short bodies of repeated bytes are no bombs
  bool gzip_members = false;                   // several in a row are one body (RFC 1952 §2.2): of answers
};

struct DecodedContent {
  BodyError error = BodyError::none;  // malformed or too_large; what was decoded so far is kept
  const char* message = "";
};

// Replaces `out` by the decoded bytes.
DecodedContent decode_content(ContentCoding coding, std::string_view bytes, const DecodingLimits& limits,
                              std::string& out);

}  // namespace gatehouse::waf
