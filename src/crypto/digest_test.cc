#include "crypto/digest.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/keyed_hash.h"
#include "crypto/random.h"
#include "crypto/sha1.h"

namespace gatehouse::crypto {
namespace {

TEST(Digest, PublishedVectors) {
  // FIPS 180-4 examples; RFC 4231 test cases 1, 2 and 6.
  EXPECT_EQ(to_hex(as_text(sha256(""))), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(as_text(sha256("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  struct Case {
    std::string key, data;
    const char* mac;
  };
  const Case cases[] = {
      {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
      {"", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
  };
  for (const Case& c : cases) EXPECT_EQ(to_hex(as_text(hmac_sha256(c.key, c.data))), c.mac);
}

TEST(Digest, HmacSha1OfPublishedVectors) {  // RFC 2202 test cases 1, 2 and 6; RFC 4226 appendix D, counter 0
  struct Case {
    std::string key, data;
    const char* mac;
  };
  const Case cases[] = {
      {std::string(20, '\x0b'), "Hi There", "b617318655057264e28bc0b6fb378c8ef146be00"},
      {"Jefe", "what do ya want for nothing?", "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"},
      {std::string(80, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "aa4ae5e15272d00e95705637ce8a3b55ed402112"},
      {"12345678901234567890", std::string(8, '\0'), "cc93cf18508d94934c64b65d8ba7667fb7cde4b0"},
      {"", "", "fbdb1d1b18aa6c08324b7d64b71fb76370690e1d"},
  };
  for (const Case& c : cases) {
    const Sha1 mac = hmac_sha1(c.key, c.data);
    EXPECT_EQ(to_hex({reinterpret_cast<const char*>(mac.data()), mac.size()}), c.mac);
  }
}

TEST(Digest, ComparesWholeStrings) {
  EXPECT_TRUE(equal_in_constant_time("", ""));
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(equal_in_constant_time("abc", "abcd"));
}

TEST(Random, DoesNotRepeat) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const std::string token = random_token();
    EXPECT_EQ(token.size(), 43U);
    EXPECT_TRUE(seen.insert(token).second);
  }
}

TEST(KeyedHash, IsAFunctionAndSpreads) {
  EXPECT_EQ(keyed_hash("a"), keyed_hash("a"));
  std::set<std::uint64_t> seen;
  for (int i = 0; i < 10'000; ++i) seen.insert(keyed_hash(std::to_string(i)));
  EXPECT_EQ(seen.size(), 10'000U);
}

TEST(Sha512, IsThatOfFips180) {
  EXPECT_EQ(to_hex(sha512("abc")),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

}  // namespace
}  // namespace gatehouse::crypto
