#include "codec/base64.h"

#include <gtest/gtest.h>

namespace gatehouse::codec {
namespace {

using namespace std::string_literals;

TEST(Base64, Rfc4648Vectors) {
  struct Case {
    std::string bytes, padded, url;
  };
  const Case cases[] = {
      {"", "", ""},
      {"f", "Zg==", "Zg"},
      {"fo", "Zm8=", "Zm8"},
      {"foo", "Zm9v", "Zm9v"},
      {"foob", "Zm9vYg==", "Zm9vYg"},
      {"fooba", "Zm9vYmE=", "Zm9vYmE"},
      {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
      {"\xfb\xff\xbf"s, "+/+/", "-_-_"},
      {"\0\0"s, "AAA=", "AAA"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(base64_encode(c.bytes), c.padded);
    EXPECT_EQ(base64url_encode(c.bytes), c.url);
    EXPECT_EQ(base64_decode(c.padded), c.bytes);
    EXPECT_EQ(base64url_decode(c.url), c.bytes);
  }
}

TEST(Base64, RefusesWhatNoEncoderWrites) {
  struct Case {
    const char* name;
    std::string text;
  };
  const Case standard[] = {
      {"no padding", "Zg"},
      {"half the padding", "Zg="},
      {"padding alone", "===="},
      {"surplus padding", "Zm9v===="},
      {"padding inside", "Zg==Zg=="},
      {"trailing bits of one byte", "Zh=="},
      {"trailing bits of two", "Zm9="},
      {"white space", "Zm9v Zm9"},
      {"newline", "Zm9v\nZg="},
      {"the other alphabet", "-_-_"},
      {"NUL", "Zm9\0"s},
      {"a high byte", "Zm9\xc3"},
      {"three pads", "Z==="},
  };
  for (const Case& c : standard) EXPECT_FALSE(base64_decode(c.text)) << c.name;
  const Case url[] = {
      {"padding", "Zg=="},
      {"one character", "Z"},
      {"five characters", "Zm9vY"},
      {"trailing bits", "Zh"},
      {"trailing bits of two", "Zm9"},
      {"the other alphabet", "+/+/"},
      {"white space", "Zg "},
      {"dot", "Zm9v.Zg"},
  };
  for (const Case& c : url) EXPECT_FALSE(base64url_decode(c.text)) << c.name;
}

// Every text of up to three characters that decodes is the encoding of what it decodes to.
TEST(Base64, DecodingIsInjective) {
  for (int length = 1; length <= 3; ++length) {
    std::string text(static_cast<std::size_t>(length), '\0');
    const int total = length == 1 ? 256 : length == 2 ? 65536 : 1 << 18;
    const std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int n = 0; n < total; ++n) {
      for (int i = 0; i < length; ++i) {
        text[static_cast<std::size_t>(i)] =
            length == 3 ? alphabet[static_cast<std::size_t>(n >> (6 * i) & 63)] : static_cast<char>(n >> (8 * i));
      }
      const auto bytes = base64url_decode(text);
      ASSERT_TRUE(!bytes || base64url_encode(*bytes) == text) << text;
    }
  }
}

TEST(Base64, DecodesIntoACallersBuffer) {
  char buffer[6];
  EXPECT_EQ(base64url_decode_into("Zm9vYmFy", buffer), 6U);
  EXPECT_EQ(std::string_view(buffer, 6), "foobar");
  EXPECT_FALSE(base64url_decode_into("Zm9vYmFyZg", buffer)) << "too small";
}

}  // namespace
}  // namespace gatehouse::codec
