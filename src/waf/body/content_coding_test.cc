#include "waf/body/content_coding.h"

#include <brotli/encode.h>
#include <gtest/gtest.h>
#include <zlib.h>

namespace gatehouse::waf {
namespace {

using namespace std::literals;

std::string deflated(std::string_view text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string encoded(ContentCoding coding, std::string_view text) {
  if (coding == ContentCoding::gzip) return deflated(text, 15 + 16);
  if (coding == ContentCoding::deflate) return deflated(text, 15);
  std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
  std::string out(size, '\0');
  BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()),
                        &size, reinterpret_cast<std::uint8_t*>(out.data()));
  out.resize(size);
  return out;
}

constexpr ContentCoding kCodings[] = {ContentCoding::gzip, ContentCoding::deflate, ContentCoding::br};

std::string decoded(ContentCoding coding, std::string_view bytes, const DecodingLimits& limits = {}) {
  std::string out;
  const DecodedContent result = decode_content(coding, bytes, limits, out);
  return result.error == BodyError::none ? out : "! "s + result.message;
}

TEST(ContentCoding, DecodesWhatWasEncoded) {
  for (const ContentCoding coding : kCodings) {
    for (const std::string& text : {""s, "a=1&b=2"s, std::string(60'000, 'x'), std::string("\0\xff", 2)}) {
      EXPECT_EQ(decoded(coding, encoded(coding, text)), text);
    }
  }
  EXPECT_EQ(decoded(ContentCoding::identity, "a=1"), "a=1");
}

TEST(ContentCoding, RefusesWhatReadersDisagreeAbout) {
  for (const ContentCoding coding : kCodings) {
    const std::string bytes = encoded(coding, "a=1&b=2");
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      EXPECT_EQ(decoded(coding, bytes.substr(0, length)), "! compressed body breaks off") << length;
    }
    EXPECT_EQ(decoded(coding, bytes + "x"), "! bytes behind the compressed body");
    EXPECT_EQ(decoded(coding, bytes + bytes), "! bytes behind the compressed body");
    EXPECT_EQ(decoded(coding, "\xff\xff\xff\xff\xff\xff"), "! malformed compressed body");
  }
  EXPECT_EQ(decoded(ContentCoding::deflate, deflated("a=1", -15)), "! malformed compressed body") << "raw";
  EXPECT_EQ(decoded(ContentCoding::gzip, deflated("a=1", 15)), "! malformed compressed body");
  EXPECT_EQ(decoded(ContentCoding::unknown, "a=1"), "! unknown Content-Encoding");
}

TEST(ContentCoding, MembersOfAnAnswer) {
  const std::string one = encoded(ContentCoding::gzip, "a=1"), two = encoded(ContentCoding::gzip, "&b=2");
  DecodingLimits limits{.bytes_max = 7, .gzip_members = true};
  EXPECT_EQ(decoded(ContentCoding::gzip, one + two, limits), "a=1&b=2");
  EXPECT_EQ(decoded(ContentCoding::gzip, one + two + one, limits), "! compressed body expands too far");
  EXPECT_EQ(decoded(ContentCoding::gzip, one + two.substr(0, 5), limits), "! compressed body breaks off");
  EXPECT_EQ(decoded(ContentCoding::gzip, one + "more", limits), "! malformed compressed body");
  const std::string other = encoded(ContentCoding::deflate, "a=1");
  EXPECT_EQ(decoded(ContentCoding::deflate, other + other, limits), "! bytes behind the compressed body");
  const std::string nothing = encoded(ContentCoding::gzip, "");
  std::string empty;
  for (int i = 0; i < 50'000; ++i) empty += nothing;
  EXPECT_EQ(decoded(ContentCoding::gzip, empty, limits), "");
}

// However the bytes and the room are cut, the same comes out.
TEST(ContentCoding, InPieces) {
  const std::string text = std::string(5'000, 'x') + "a=1&b=2" + std::string(5'000, 'y');
  for (const ContentCoding coding : kCodings) {
    const std::string bytes = encoded(coding, text);
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, bytes.size()}) {
      for (const std::size_t room : {1u, 100u, 20'000u}) {
        const auto decoder = ContentDecoder::create(coding, true);
        std::string out;
        auto step = ContentDecoder::Step::needs_input;
        for (std::size_t at = 0; at < bytes.size(); at += piece) {
          std::string_view in = std::string_view(bytes).substr(at, piece);
          do {
            const std::size_t before = out.size();
            step = decoder->decode(in, room, out);
            ASSERT_LE(out.size(), before + room);
          } while (step == ContentDecoder::Step::has_more);
          ASSERT_NE(step, ContentDecoder::Step::malformed);
          ASSERT_TRUE(in.empty());
        }
        EXPECT_EQ(step, ContentDecoder::Step::ended);
        EXPECT_EQ(out, text);
        EXPECT_LT(decoder->bytes(), 16u << 20);
      }
    }
  }
  EXPECT_EQ(ContentDecoder::create(ContentCoding::identity, true), nullptr);
  EXPECT_EQ(ContentDecoder::create(ContentCoding::unknown, true), nullptr);
  EXPECT_GT(ContentDecoder::create(ContentCoding::gzip, true)->bytes(), 1000u);
}

TEST(ContentCoding, BombsAreRefusedEarly) {
  const std::string zeros(64 << 20, '\0');
  for (const ContentCoding coding : kCodings) {
    const std::string bomb = encoded(coding, zeros);
    std::string out;
    const DecodedContent result = decode_content(coding, bomb, {}, out);
    EXPECT_EQ(result.error, BodyError::too_large);
    EXPECT_LE(out.size(), std::max<std::size_t>(bomb.size() * 200, 64 << 10));
    EXPECT_LE(out.capacity(), 2 * std::max<std::size_t>(bomb.size() * 200, 64 << 10) + (64 << 10));
    // Just the bound, and one byte more.
    const std::string small = encoded(coding, std::string(1000, 'x'));
    EXPECT_EQ(decoded(coding, small, {.bytes_max = 1000}), std::string(1000, 'x'));
    EXPECT_EQ(decoded(coding, small, {.bytes_max = 999}), "! compressed body expands too far");
  }
  EXPECT_EQ(decoded(ContentCoding::identity, "abc", {.bytes_max = 2}), "! body too large");
}

TEST(ContentCoding, Names) {
  EXPECT_EQ(content_coding_of(""), ContentCoding::identity);
  EXPECT_EQ(content_coding_of("GZip"), ContentCoding::gzip);
  EXPECT_EQ(content_coding_of("x-gzip"), ContentCoding::gzip);
  EXPECT_EQ(content_coding_of("deflate"), ContentCoding::deflate);
  EXPECT_EQ(content_coding_of("br"), ContentCoding::br);
  EXPECT_EQ(content_coding_of("identity"), ContentCoding::identity);
  EXPECT_EQ(content_coding_of("gzip, gzip"), ContentCoding::unknown);
  EXPECT_EQ(content_coding_of("zstd"), ContentCoding::unknown);
}

}  // namespace
}  // namespace gatehouse::waf
