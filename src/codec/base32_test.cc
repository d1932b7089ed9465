#include "codec/base32.h"

#include <gtest/gtest.h>

namespace gatehouse::codec {
namespace {

TEST(Base32, PublishedVectors) {  // RFC 4648 §10, without the padding
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "MY"},
                                                         {"fo", "MZXQ"},
                                                         {"foo", "MZXW6"},
                                                         {"foob", "MZXW6YQ"},
                                                         {"fooba", "MZXW6YTB"},
                                                         {"foobar", "MZXW6YTBOI"}};
  for (const auto& [bytes, text] : vectors) {
    EXPECT_EQ(base32_encode(bytes), text);
    EXPECT_EQ(base32_decode(text), bytes);
  }
}

TEST(Base32, EveryByteAtEveryPlace) {
  for (std::size_t size = 1; size <= 11; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string bytes(size, '\x5a');
        bytes[at] = static_cast<char>(byte);
        ASSERT_EQ(base32_decode(base32_encode(bytes)), bytes);
      }
    }
  }
}

TEST(Base32, RefusesWhatNoEncoderWrites) {
  const std::pair<const char*, const char*> cases[] = {{"lower case", "mzxw6"},
                                                       {"padding", "MZXW6==="},
                                                       {"white space", "MZXW 6YQ"},
                                                       {"1, which is no digit", "M1"},
                                                       {"one character", "M"},
                                                       {"three", "MZX"},
                                                       {"six", "MZXW6Y"},
                                                       {"trailing bits", "MZ"},
                                                       {"trailing bits of four", "MZXR"},
                                                       {"trailing bits of five", "MZXW7"},
                                                       {"trailing bits of seven", "MZXW6YR"}};
  for (const auto& [name, text] : cases) EXPECT_FALSE(base32_decode(text)) << name;
}

}  // namespace
}  // namespace gatehouse::codec
