// The three libraries behind Encoder. Windows are small: an answer of a few hundred kilobytes loses a percent or two,
// and a thousand of them at once cost megabytes, not gigabytes.
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>

#include "gateway/compression.h"

namespace gatehouse::gateway {
namespace {

constexpr std::size_t kStep = 16 * 1024;  // bytes of output produced at a time, on the stack

class GzipEncoder final : public Encoder {
 public:
  static std::unique_ptr<Encoder> make(bool flush_each) {
    auto encoder = std::unique_ptr<GzipEncoder>(new GzipEncoder(flush_each));
    constexpr int kLevel = 5, kWindowBits = 14, kGzipFraming = 16, kMemoryLevel = 7;  // 128 KiB
    if (deflateInit2(&encoder->stream_, kLevel, Z_DEFLATED, kWindowBits + kGzipFraming, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      return nullptr;
    }
    return encoder;
  }
  ~GzipEncoder() override { deflateEnd(&stream_); }
  Coding coding() const noexcept override { return Coding::gzip; }

  bool encode(std::string_view in, http::End end, std::string& out) override {
    const int flush = end == http::End::yes ? Z_FINISH : flush_each_ ? Z_SYNC_FLUSH : Z_NO_FLUSH;
    if (in.empty() && flush == Z_NO_FLUSH) return true;
    std::array<Bytef, kStep> buffer;
    // zlib takes 32-bit lengths and doesn't write through next_in.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    do {
      stream_.next_out = buffer.data();
      stream_.avail_out = static_cast<uInt>(buffer.size());
      const int result = deflate(&stream_, flush);
      if (result == Z_STREAM_ERROR) return false;
      out.append(reinterpret_cast<const char*>(buffer.data()), buffer.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
    return stream_.avail_in == 0;
  }

 private:
  explicit GzipEncoder(bool flush_each) noexcept : flush_each_(flush_each) {}
  z_stream stream_{};
  bool flush_each_;
};

class BrotliEncoder final : public Encoder {
 public:
  static std::unique_ptr<Encoder> make(std::uint64_t content_length, bool flush_each) {
    BrotliEncoderState* state = BrotliEncoderCreateInstance(nullptr, nullptr, nullptr);
    if (state == nullptr) return nullptr;
    // Quality 4 needs 1.8 MB and twice the time for one percent.
    constexpr std::uint32_t kQuality = 3, kWindowBits = 15;
    BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, kQuality);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, kWindowBits);
    if (content_length != 0) {
      const auto hint = static_cast<std::uint32_t>(std::min<std::uint64_t>(content_length, 1u << 30));
      BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT, hint);
    }
    return std::unique_ptr<Encoder>(new BrotliEncoder(state, flush_each));
  }
  ~BrotliEncoder() override { BrotliEncoderDestroyInstance(state_); }
  Coding coding() const noexcept override { return Coding::br; }

  bool encode(std::string_view in, http::End end, std::string& out) override {
    const BrotliEncoderOperation operation = end == http::End::yes ? BROTLI_OPERATION_FINISH
                                             : flush_each_         ? BROTLI_OPERATION_FLUSH
                                                                   : BROTLI_OPERATION_PROCESS;
    std::size_t in_left = in.size(), out_left = 0;
    const auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    do {
      if (BrotliEncoderCompressStream(state_, operation, &in_left, &next_in, &out_left, nullptr, nullptr) ==
          BROTLI_FALSE) {
        return false;
      }
      std::size_t size = 0;
      const std::uint8_t* ready = BrotliEncoderTakeOutput(state_, &size);
      out.append(reinterpret_cast<const char*>(ready), size);
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(state_) == BROTLI_TRUE);
    return true;
  }

 private:
  BrotliEncoder(BrotliEncoderState* state, bool flush_each) noexcept : state_(state), flush_each_(flush_each) {}
  BrotliEncoderState* state_;
  bool flush_each_;
};

class ZstdEncoder final : public Encoder {
 public:
  static std::unique_ptr<Encoder> make(std::uint64_t content_length, bool flush_each) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    if (context == nullptr) return nullptr;
    constexpr int kLevel = 3, kWindowLog = 16, kTableLog = 15;
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, kWindowLog);
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, kTableLog);
    ZSTD_CCtx_setParameter(context, ZSTD_c_chainLog, kTableLog);
    // A promise, not a hint: short content gets small tables, and content of another length is an error.
    if (content_length != 0) ZSTD_CCtx_setPledgedSrcSize(context, content_length);
    return std::unique_ptr<Encoder>(new ZstdEncoder(context, flush_each));
  }
  ~ZstdEncoder() override { ZSTD_freeCCtx(context_); }
  Coding coding() const noexcept override { return Coding::zstd; }

  bool encode(std::string_view in, http::End end, std::string& out) override {
    const ZSTD_EndDirective directive = end == http::End::yes ? ZSTD_e_end
                                        : flush_each_         ? ZSTD_e_flush
                                                              : ZSTD_e_continue;
    ZSTD_inBuffer input{in.data(), in.size(), 0};
    std::array<char, kStep> buffer;
    for (;;) {
      ZSTD_outBuffer output{buffer.data(), buffer.size(), 0};
      const std::size_t left = ZSTD_compressStream2(context_, &output, &input, directive);
      if (ZSTD_isError(left) != 0) return false;
      out.append(buffer.data(), output.pos);
      const bool done = directive == ZSTD_e_continue ? input.pos == input.size : left == 0;
      if (done) return true;
    }
  }

 private:
  ZstdEncoder(ZSTD_CCtx* context, bool flush_each) noexcept : context_(context), flush_each_(flush_each) {}
  ZSTD_CCtx* context_;
  bool flush_each_;
};

}  // namespace

std::unique_ptr<Encoder> make_encoder(Coding coding, std::uint64_t content_length, bool flush_each) {
  switch (coding) {
    case Coding::gzip: return GzipEncoder::make(flush_each);
    case Coding::br: return BrotliEncoder::make(content_length, flush_each);
    case Coding::zstd: return ZstdEncoder::make(content_length, flush_each);
    case Coding::identity: return nullptr;
  }
  return nullptr;
}

}  // namespace gatehouse::gateway
