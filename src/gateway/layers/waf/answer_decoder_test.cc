#include "gateway/layers/waf/answer_decoder.h"

#include <gtest/gtest.h>
#include <zlib.h>

namespace gatehouse::gateway {
namespace {

using namespace std::literals;

std::string gzipped(std::string_view text) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
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

// Fed in pieces; "! why" when it fails.
std::string decoded(std::string_view coded, std::size_t piece) {
  const auto decoder = AnswerDecoder::create(waf::ContentCoding::gzip);
  std::string text, out;
  for (std::size_t at = 0; at < coded.size(); at += piece) {
    decoder->take(coded.substr(at, piece));
    while (decoder->has_more()) {
      decoder->decode(out);
      EXPECT_LE(out.size(), AnswerDecoder::kStepBytes);
      text += out;
    }
  }
  return decoder->ends_well() ? text : "! "s + decoder->problem();
}

TEST(AnswerDecoder, Cases) {
  const std::string text = std::string(100'000, 'x') + "card", coded = gzipped(text);
  const struct {
    const char* name;
    std::string coded, expected;
  } cases[] = {
      {"whole", coded, text},
      {"nothing", "", ""},
      {"two members", coded + gzipped("more"), text + "more"},
      {"breaks off", coded.substr(0, coded.size() - 1), "! the compressed answer breaks off"},
      {"no gzip", "<html>", "! the compressed answer is malformed"},
      {"bytes behind", coded + "<", "! the compressed answer breaks off"},  // of a member that may begin so
      {"text behind", coded + "\x1f<html>", "! the compressed answer is malformed"},
      {"repeats itself", gzipped(std::string(1'000'000, 'x')), std::string(1'000'000, 'x')},
      {"a bomb", gzipped(std::string(20'000'000, 'x')), "! the compressed answer expands too far"},
  };
  for (const auto& c : cases) {
    for (const std::size_t piece : {1u, 1000u, 1'000'000u}) EXPECT_EQ(decoded(c.coded, piece), c.expected) << c.name;
  }
}

// Who stops taking steps is given no more than that.
TEST(AnswerDecoder, ABombIsFoundInTime) {
  const auto decoder = AnswerDecoder::create(waf::ContentCoding::gzip);
  decoder->take(gzipped(std::string(50'000'000, 'x')));
  std::string out;
  std::size_t bytes = 0;
  while (decoder->decode(out) == AnswerDecoder::Step::has_more) bytes += out.size();
  EXPECT_LE(bytes, 50'000 * AnswerDecoder::kRatioMax);
  EXPECT_EQ(decoder->decode(out), AnswerDecoder::Step::failed);
  EXPECT_EQ(out, "");
}

TEST(AnswerDecoder, BytesBehindBrotli) {
  const auto decoder = AnswerDecoder::create(waf::ContentCoding::br);
  decoder->take("\x06");  // an empty stream
  std::string out;
  EXPECT_EQ(decoder->decode(out), AnswerDecoder::Step::needs_input);
  decoder->take("x");
  EXPECT_EQ(decoder->decode(out), AnswerDecoder::Step::failed);
  EXPECT_FALSE(decoder->ends_well());
  EXPECT_EQ(AnswerDecoder::create(waf::ContentCoding::unknown), nullptr);
}

}  // namespace
}  // namespace gatehouse::gateway
