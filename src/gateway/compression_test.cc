#include "gateway/compression.h"

#include <brotli/decode.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <zlib.h>
#include <zstd.h>

#include <random>

#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using http::End;

// The libraries' own decoders, streaming, so that flushed parts can be read before the end.
class Decoder {
 public:
  explicit Decoder(Coding coding) : coding_(coding) {
    if (coding == Coding::gzip) inflateInit2(&gzip_, 15 + 16);
    if (coding == Coding::br) br_ = BrotliDecoderCreateInstance(nullptr, nullptr, nullptr);
    if (coding == Coding::zstd) zstd_ = ZSTD_createDCtx();
  }
  ~Decoder() {
    if (coding_ == Coding::gzip) inflateEnd(&gzip_);
    if (br_ != nullptr) BrotliDecoderDestroyInstance(br_);
    if (zstd_ != nullptr) ZSTD_freeDCtx(zstd_);
  }
  std::string decode(std::string_view in) {
    std::string out(1 << 22, '\0');
    std::size_t size = 0;
    if (coding_ == Coding::gzip) {
      gzip_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
      gzip_.avail_in = static_cast<uInt>(in.size());
      gzip_.next_out = reinterpret_cast<Bytef*>(out.data()), gzip_.avail_out = static_cast<uInt>(out.size());
      ended = inflate(&gzip_, Z_SYNC_FLUSH) == Z_STREAM_END;
      size = out.size() - gzip_.avail_out;
    } else if (coding_ == Coding::br) {
      std::size_t in_left = in.size(), out_left = out.size();
      auto* next_in = reinterpret_cast<const std::uint8_t*>(in.data());
      auto* next_out = reinterpret_cast<std::uint8_t*>(out.data());
      ended = BrotliDecoderDecompressStream(br_, &in_left, &next_in, &out_left, &next_out, nullptr) ==
              BROTLI_DECODER_RESULT_SUCCESS;
      size = out.size() - out_left;
    } else {
      ZSTD_inBuffer input{in.data(), in.size(), 0};
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      while (input.pos < input.size) ended = ZSTD_decompressStream(zstd_, &output, &input) == 0;
      size = output.pos;
    }
    out.resize(size);
    return out;
  }
  bool ended = false;

 private:
  Coding coding_;
  z_stream gzip_{};
  BrotliDecoderState* br_ = nullptr;
  ZSTD_DCtx* zstd_ = nullptr;
};

std::string sample_text(std::size_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) text += "{\"id\":" + std::to_string(random() % 100000) + ",\"name\":\"item\"},\n";
  text.resize(size);
  return text;
}

class Codings : public testing::TestWithParam<Coding> {};

TEST_P(Codings, RoundTripInPieces) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{5000}, std::size_t{1000000}}) {
    for (const bool known_length : {false, true}) {
      const std::string text = sample_text(size, seed);
      const auto encoder = make_encoder(GetParam(), known_length ? size : 0, random() % 2 == 0);
      std::string out;
      for (std::size_t at = 0; at < size;) {
        const std::size_t piece = std::min<std::size_t>(size - at, 1 + random() % 40000);
        ASSERT_TRUE(encoder->encode(std::string_view(text).substr(at, piece), End::no, out));
        at += piece;
      }
      ASSERT_TRUE(encoder->encode({}, End::yes, out));
      Decoder decoder(GetParam());
      EXPECT_EQ(decoder.decode(out), text);
      EXPECT_TRUE(decoder.ended);
      EXPECT_LT(out.size(), std::max<std::size_t>(size / 2, 64));
    }
  }
}

TEST_P(Codings, StreamsArriveWithEachCall) {
  const auto encoder = make_encoder(GetParam(), 0, true);
  Decoder decoder(GetParam());
  for (int i = 0; i < 20; ++i) {
    const std::string event = "data: " + std::to_string(i) + "\n\n";
    std::string out;
    ASSERT_TRUE(encoder->encode(event, End::no, out));
    EXPECT_EQ(decoder.decode(out), event) << i;
  }
}

TEST_P(Codings, LastPieceComesWithTheEnd) {
  const std::string text = sample_text(3000, 1);
  const auto encoder = make_encoder(GetParam(), text.size(), false);
  std::string out;
  ASSERT_TRUE(encoder->encode(text, End::yes, out));
  EXPECT_EQ(Decoder(GetParam()).decode(out), text);
}

TEST_P(Codings, MemoryIsBounded) {
  const std::string text = sample_text(2'000'000, 1);
  std::string out;
  out.reserve(text.size());
  const auto in_use = [] {
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  const std::size_t before = in_use();
  const auto encoder = make_encoder(GetParam(), 0, false);
  std::size_t most = 0;
  for (std::size_t at = 0; at < text.size(); at += 16384) {
    ASSERT_TRUE(encoder->encode(std::string_view(text).substr(at, 16384), End::no, out));
    most = std::max(most, in_use() - before);
  }
  RecordProperty("bytes", static_cast<int>(most));
  EXPECT_LE(most, kEncoderBytesMax);
}

INSTANTIATE_TEST_SUITE_P(All, Codings, testing::Values(Coding::gzip, Coding::br, Coding::zstd),
                         [](const auto& test) { return std::string(name_of(test.param)); });

struct Preference {
  const char* accept;
  Coding coding;
};
TEST(AcceptEncoding, Preferences) {
  const std::vector<std::string> ours{"zstd", "br", "gzip"};
  const std::vector<Preference> cases{
      {"", Coding::identity},
      {"gzip", Coding::gzip},
      {"GZIP", Coding::gzip},
      {"x-gzip", Coding::gzip},
      {"gzip, deflate, br", Coding::br},
      {"gzip, deflate, br, zstd", Coding::zstd},
      {"gzip;q=1.0, br;q=0.5", Coding::gzip},
      {"gzip;q=0.001", Coding::gzip},
      {"gzip;q=0", Coding::identity},
      {"gzip ; q=0.5 , br; q=0.8", Coding::br},
      {"*", Coding::zstd},
      {"*;q=0.1, gzip;q=0.2", Coding::gzip},
      {"zstd;q=0, *", Coding::br},
      {"*;q=0", Coding::identity},
      {"gzip;q=0, *;q=0", Coding::identity},
      {"identity", Coding::identity},
      {"identity;q=0.5, gzip;q=0.4", Coding::identity},
      {"identity;q=0, gzip;q=0.4", Coding::gzip},
      {"identity;q=0.5, gzip;q=0.5", Coding::gzip},
      {"deflate", Coding::identity},
      {"gzip;q=2", Coding::identity},
      {"gzip;q=abc", Coding::identity},
      {"gzip;level=9", Coding::identity},
      {",,,gzip,,", Coding::gzip},
  };
  for (const Preference& c : cases) EXPECT_EQ(preferred_coding(c.accept, ours), c.coding) << c.accept;
  const std::vector<std::string> gzip_only{"gzip"};
  EXPECT_EQ(preferred_coding("br, gzip;q=0.1", gzip_only), Coding::gzip);
}

struct Choice {
  const char* name;
  std::vector<std::pair<std::string_view, std::string_view>> request, response;
  bool compressed;
  bool varies;
  std::string_view method = "GET";
  int status = 200;
  std::optional<std::uint64_t> length = 5000;
  bool with_credentials = false;
};

TEST(ChooseEncoder, Cases) {
  const std::pair<std::string_view, std::string_view> kGzip{"accept-encoding", "gzip"};
  const std::pair<std::string_view, std::string_view> kJson{"content-type", "application/json; charset=utf-8"};
  const std::vector<Choice> cases{
      {"plain", {kGzip}, {kJson}, true, true},
      {"unknown length", {kGzip}, {kJson}, true, true, "GET", 200, std::nullopt},
      {"error pages too", {kGzip}, {{"content-type", "TEXT/html"}}, true, true, "GET", 404},
      {"not asked for", {}, {kJson}, false, true},
      {"asked for twice", {kGzip, kGzip}, {kJson}, false, true},
      {"HEAD", {kGzip}, {kJson}, false, false, "HEAD"},
      {"204", {kGzip}, {kJson}, false, false, "GET", 204},
      {"304", {kGzip}, {kJson}, false, false, "GET", 304},
      {"206", {kGzip}, {kJson}, false, false, "GET", 206},
      {"too short", {kGzip}, {kJson}, false, false, "GET", 200, 1023},
      {"just long enough", {kGzip}, {kJson}, true, true, "GET", 200, 1024},
      {"encoded already", {kGzip}, {kJson, {"content-encoding", "br"}}, false, false},
      {"no-transform", {kGzip}, {kJson, {"cache-control", "public, No-Transform"}}, false, false},
      {"digest", {kGzip}, {kJson, {"repr-digest", "sha-256=:x:"}}, false, false},
      {"unlisted type", {kGzip}, {{"content-type", "image/png"}}, false, false},
      {"no type", {kGzip}, {}, false, false},
      {"type/ alone", {kGzip}, {{"content-type", "text/"}}, false, false},
      {"cookie", {kGzip, {"cookie", "s=1"}}, {kJson}, false, false},
      {"authorization", {kGzip, {"authorization", "x"}}, {kJson}, false, false},
      {"set-cookie", {kGzip}, {kJson, {"set-cookie", "s=1"}}, false, false},
      {"cookie, without secrets", {kGzip, {"cookie", "s=1"}}, {kJson}, true, true, "GET", 200, 5000, true},
  };
  const FakeClock clock;
  for (const Choice& c : cases) {
    SCOPED_TRACE(c.name);
    Config config = sample_config();
    config.routes[0].compression.with_credentials = c.with_credentials;
    SampleRequest sample(config, clock);
    sample.request.message.method = c.method;
    for (const auto& [name, value] : c.request) sample.request.message.fields.add(name, value);
    http::ResponseHead response;
    response.status = c.status;
    response.content_length = c.length;
    for (const auto& [name, value] : c.response) response.fields.add(name, value);
    Gauge encoders;
    const auto encoder = choose_encoder(sample.request, response, encoders);
    EXPECT_EQ(encoder != nullptr, c.compressed);
    EXPECT_EQ(encoders.count(), c.compressed ? 1u : 0u);
    EXPECT_EQ(response.fields.has_token("vary", "accept-encoding"), c.varies);
    if (!c.compressed) continue;
    EXPECT_FALSE(response.content_length);
    EXPECT_EQ(response.fields.get("content-encoding"), "gzip");
  }
}

TEST(ChooseEncoder, HeadIsMadeToFit) {
  const FakeClock clock;
  const Config config = sample_config();
  const std::string long_tag = "\"" + std::string(400, 'e') + "\"";
  SampleRequest sample(config, clock);
  sample.request.message.fields.add("accept-encoding", "br");
  http::ResponseHead response;
  response.status = 200;
  response.fields.add("content-type", "text/html");
  response.fields.add("etag", long_tag);
  response.fields.add("accept-ranges", "bytes");
  response.fields.add("vary", "origin");
  Gauge encoders;
  {
    const auto encoder = choose_encoder(sample.request, response, encoders);
    ASSERT_TRUE(encoder);
    EXPECT_EQ(encoder->coding(), Coding::br);
    EXPECT_EQ(response.fields.get("etag"), "W/" + long_tag);
    EXPECT_EQ(response.fields.get("vary"), "origin, accept-encoding");
    EXPECT_FALSE(response.fields.has("accept-ranges"));
  }
  EXPECT_EQ(encoders.count(), 0u);
  response.fields.remove("content-encoding");
  for (std::uint32_t i = 0; i < kEncodersMax; ++i) ASSERT_TRUE(encoders.acquire(kEncodersMax));
  EXPECT_FALSE(choose_encoder(sample.request, response, encoders)) << "the bound on encoders";
}

}  // namespace
}  // namespace gatehouse::gateway
