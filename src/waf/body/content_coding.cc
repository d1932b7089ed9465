#include "waf/body/content_coding.h"

#include <brotli/decode.h>
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

#include "http/message.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kStepBytes = 16 * 1024;

constexpr DecodedContent kMalformed{BodyError::malformed, "malformed compressed body"};
constexpr DecodedContent kBroken{BodyError::malformed, "compressed body breaks off"};
constexpr DecodedContent kBehind{BodyError::malformed, "bytes behind the compressed body"};
constexpr DecodedContent kTooLarge{BodyError::too_large, "compressed body expands too far"};

std::size_t output_max(std::size_t bytes, const DecodingLimits& limits) noexcept {
  const std::size_t by_ratio = bytes > limits.bytes_max / std::max<std::size_t>(limits.ratio_max, 1)
                                   ? limits.bytes_max
                                   : bytes * limits.ratio_max;
  return std::min(limits.bytes_max, std::max(by_ratio, limits.bytes_without_ratio));
}

// Grows `out` for the next step: one byte more than allowed, so that a body of just the allowed size can end.
std::size_t make_room(std::string& out, std::size_t used, std::size_t max) {
  const std::size_t room = std::min(kStepBytes, max + 1 - used);
  out.resize(used + room);
  return room;
}

DecodedContent inflate_all(int window_bits, bool members, std::string_view bytes, std::size_t max, std::string& out) {
  if (bytes.size() > std::numeric_limits<uInt>::max()) return kTooLarge;
  z_stream stream{};
  if (inflateInit2(&stream, window_bits) != Z_OK) return kMalformed;
  const std::unique_ptr<z_stream, int (*)(z_streamp)> end(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads
  stream.avail_in = static_cast<uInt>(bytes.size());
  std::size_t used = 0;
  while (true) {
    const std::size_t room = make_room(out, used, max);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream, Z_NO_FLUSH);
    used += room - stream.avail_out;
    out.resize(std::min(used, max));
    if (used > max) return kTooLarge;
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return {};
      if (!members || inflateReset(&stream) != Z_OK) return kBehind;
      continue;
    }
    if (result == Z_BUF_ERROR || (result == Z_OK && stream.avail_in == 0 && stream.avail_out > 0)) return kBroken;
    if (result != Z_OK) return kMalformed;
  }
}

DecodedContent unbrotli_all(std::string_view bytes, std::size_t max, std::string& out) {
  const std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), BrotliDecoderDestroyInstance);
  if (!state) return kMalformed;
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  std::size_t in_left = bytes.size(), used = 0;
  while (true) {
    std::size_t room = make_room(out, used, max);
    auto* next_out = reinterpret_cast<std::uint8_t*>(out.data() + used);
    used += room;
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state.get(), &in_left, &next_in, &room, &next_out, nullptr);
    used -= room;
    out.resize(std::min(used, max));
    if (used > max) return kTooLarge;
    if (result == BROTLI_DECODER_RESULT_SUCCESS) return in_left > 0 ? kBehind : DecodedContent{};
    if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT) return kBroken;
    if (result == BROTLI_DECODER_RESULT_ERROR) return kMalformed;
  }
}

}  // namespace

ContentCoding content_coding_of(std::string_view field) noexcept {
  struct Name {
    std::string_view name;
    ContentCoding coding;
  };
  static constexpr Name kNames[] = {
      {"", ContentCoding::identity},   {"identity", ContentCoding::identity}, {"gzip", ContentCoding::gzip},
      {"x-gzip", ContentCoding::gzip}, {"deflate", ContentCoding::deflate},   {"br", ContentCoding::br},
  };
  for (const Name& known : kNames) {
    if (http::equals_ignoring_case(field, known.name)) return known.coding;
  }
  return ContentCoding::unknown;
}

DecodedContent decode_content(ContentCoding coding, std::string_view bytes, const DecodingLimits& limits,
                              std::string& out) {
  out.clear();
  const std::size_t max = output_max(bytes.size(), limits);
  switch (coding) {
    case ContentCoding::identity:
      if (bytes.size() > limits.bytes_max) return {BodyError::too_large, "body too large"};
      out.assign(bytes);
      return {};
    case ContentCoding::gzip: return inflate_all(15 + 16, limits.gzip_members, bytes, max, out);
    case ContentCoding::deflate: return inflate_all(15, false, bytes, max, out);
    case ContentCoding::br: return unbrotli_all(bytes, max, out);
    case ContentCoding::unknown: break;
  }
  return {BodyError::malformed, "unknown Content-Encoding"};
}

}  // namespace gatehouse::waf
