#include "waf/body/content_coding.h"

#include <brotli/decode.h>
#include <zlib.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <limits>

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

class Inflater final : public ContentDecoder {
 public:
  Inflater(int window_bits, bool members) : members_(members) {
    stream_.zalloc = [](void* self, uInt count, uInt size) { return allocate(self, std::size_t{count} * size); };
    stream_.zfree = release;
    stream_.opaque = static_cast<ContentDecoder*>(this);
    good_ = inflateInit2(&stream_, window_bits) == Z_OK;
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() override { inflateEnd(&stream_); }

  Step decode(std::string_view& bytes, std::size_t room, std::string& out) override {
    if (!good_) return Step::malformed;
    if (ended_) {
      if (bytes.empty() || !members_ || inflateReset(&stream_) != Z_OK) return Step::ended;
      ended_ = false;
    }
    const std::size_t used = out.size(), taken = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
    out.resize(used + room);
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));  // zlib only reads
    stream_.avail_in = static_cast<uInt>(taken);
    stream_.next_out = reinterpret_cast<Bytef*>(out.data() + used);
    stream_.avail_out = static_cast<uInt>(room);
    const int result = inflate(&stream_, Z_NO_FLUSH);
    bytes.remove_prefix(taken - stream_.avail_in);
    out.resize(used + room - stream_.avail_out);
    if (result == Z_STREAM_END) {
      ended_ = true;
      return members_ && !bytes.empty() ? Step::has_more : Step::ended;
    }
    if (result != Z_OK && result != Z_BUF_ERROR) return Step::malformed;
    return bytes.empty() && stream_.avail_out > 0 ? Step::needs_input : Step::has_more;
  }

 private:
  z_stream stream_{};
  const bool members_;
  bool good_ = false, ended_ = false;
};

class Unbrotli final : public ContentDecoder {
 public:
  Unbrotli()
      : state_(BrotliDecoderCreateInstance(allocate, release, static_cast<ContentDecoder*>(this)),
               BrotliDecoderDestroyInstance) {}

  Step decode(std::string_view& bytes, std::size_t room, std::string& out) override {
    if (!state_) return Step::malformed;
    const std::size_t used = out.size();
    out.resize(used + room);
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
    auto* next_out = reinterpret_cast<std::uint8_t*>(out.data() + used);
    std::size_t in_left = bytes.size(), out_left = room;
    const BrotliDecoderResult result =
        BrotliDecoderDecompressStream(state_.get(), &in_left, &next_in, &out_left, &next_out, nullptr);
    bytes.remove_prefix(bytes.size() - in_left);
    out.resize(used + room - out_left);
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS: return Step::ended;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT: return Step::needs_input;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return Step::has_more;
      case BROTLI_DECODER_RESULT_ERROR: break;
    }
    return Step::malformed;
  }

 private:
  std::unique_ptr<BrotliDecoderState, void (*)(BrotliDecoderState*)> state_;
};

// In front of each block stands its size, which neither library tells when it gives one back.
constexpr std::size_t kSizeBytes = alignof(std::max_align_t);

}  // namespace

void* ContentDecoder::allocate(void* decoder, std::size_t bytes) noexcept {
  auto* const block = static_cast<char*>(std::malloc(kSizeBytes + bytes));
  if (block == nullptr) return nullptr;
  std::memcpy(block, &bytes, sizeof bytes);
  static_cast<ContentDecoder*>(decoder)->bytes_ += bytes;
  return block + kSizeBytes;
}

void ContentDecoder::release(void* decoder, void* at) noexcept {
  if (at == nullptr) return;
  char* const block = static_cast<char*>(at) - kSizeBytes;
  std::size_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  static_cast<ContentDecoder*>(decoder)->bytes_ -= bytes;
  std::free(block);
}

std::unique_ptr<ContentDecoder> ContentDecoder::create(ContentCoding coding, bool gzip_members) {
  switch (coding) {
    case ContentCoding::gzip: return std::make_unique<Inflater>(15 + 16, gzip_members);
    case ContentCoding::deflate: return std::make_unique<Inflater>(15, false);
    case ContentCoding::br: return std::make_unique<Unbrotli>();
    case ContentCoding::identity:
    case ContentCoding::unknown: break;
  }
  return nullptr;
}

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
  if (coding == ContentCoding::identity) {
    if (bytes.size() > limits.bytes_max) return {BodyError::too_large, "body too large"};
    out.assign(bytes);
    return {};
  }
  const std::unique_ptr<ContentDecoder> decoder = ContentDecoder::create(coding, limits.gzip_members);
  if (!decoder) return {BodyError::malformed, "unknown Content-Encoding"};
  while (true) {
    // One byte more than allowed, so that a body of just the allowed size can end.
    const ContentDecoder::Step step = decoder->decode(bytes, std::min(kStepBytes, max + 1 - out.size()), out);
    if (out.size() > max) {
      out.resize(max);
      return kTooLarge;
    }
    switch (step) {
      case ContentDecoder::Step::has_more: break;
      case ContentDecoder::Step::needs_input: return kBroken;
      case ContentDecoder::Step::ended: return bytes.empty() ? DecodedContent{} : kBehind;
      case ContentDecoder::Step::malformed: return kMalformed;
    }
  }
}

}  // namespace gatehouse::waf
