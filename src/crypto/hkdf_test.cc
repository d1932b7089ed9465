#include "crypto/hkdf.h"

#include <gtest/gtest.h>

#include "crypto/hex_test_data.h"

namespace gatehouse::crypto {
namespace {

TEST(Hkdf, PublishedVectors) {  // RFC 5869 appendix A.1, A.2, A.3
  std::string counting;
  for (int i = 0; i < 256; ++i) counting += static_cast<char>(i);
  struct Case {
    const char* name;
    std::string key, salt, info, derived;
  };
  const Case cases[] = {
      {"A.1", std::string(22, '\x0b'), counting.substr(0, 13), from_hex("f0f1f2f3f4f5f6f7f8f9"),
       from_hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")},
      {"A.2", counting.substr(0, 80), counting.substr(0x60, 80), counting.substr(0xb0, 80),
       from_hex("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275"
                "600c2f"
                "09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87")},
      {"A.3, no salt, no info", std::string(22, '\x0b'), "", "",
       from_hex("8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8")},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(hkdf_sha256(c.key, c.salt, c.info, c.derived.size()).expose(), c.derived) << c.name;
  }
}

}  // namespace
}  // namespace gatehouse::crypto
