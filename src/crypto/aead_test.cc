#include "crypto/aead.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "crypto/hex_test_data.h"
#include "crypto/random.h"

namespace gatehouse::crypto {
namespace {

// McGrew and Viega, "The Galois/Counter Mode of Operation", appendix B, test cases 13, 14 and 16.
TEST(Aead, OpensPublishedVectors) {
  struct Case {
    const char *name, *key, *nonce, *associated, *plain, *ciphertext, *tag;
  };
  constexpr char kZeroKey[] = "0000000000000000000000000000000000000000000000000000000000000000";
  constexpr char kKey[] = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
  const Case cases[] = {
      {"13, nothing", kZeroKey, "000000000000000000000000", "", "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
      {"14, one block", kZeroKey, "000000000000000000000000", "", "00000000000000000000000000000000",
       "cea7403d4d606b6e074ec5d3baf39d18", "d0d1c8a799996bf0265b98b5d48ab919"},
      {"16, with associated data", kKey, "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
       "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de65"
       "7"
       "ba637b39",
       "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0"
       "a"
       "bcc9f662",
       "76fc6ece0f4e1768cddf8853bb2d551b"},
  };
  for (const Case& c : cases) {
    const AeadKey key(SecretBytes(from_hex(c.key)));
    const auto opened = key.open(from_hex(c.nonce) + from_hex(c.ciphertext) + from_hex(c.tag), from_hex(c.associated));
    ASSERT_TRUE(opened) << c.name;
    EXPECT_EQ(opened->expose(), from_hex(c.plain)) << c.name;
  }
}

TEST(Aead, OpensWhatItSealed) {
  const AeadKey key = AeadKey::generate();
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 4096U, 1000000U}) {
    const std::string plain(size, 'p');
    const std::string sealed = key.seal(plain, "users/1/email");
    EXPECT_EQ(sealed.size(), size + AeadKey::kOverheadBytes);
    if (size > 8) {
      EXPECT_EQ(sealed.find("pppppppp"), std::string::npos);
    }
    EXPECT_NE(sealed, key.seal(plain, "users/1/email")) << "a nonce of its own";
    const auto opened = key.open(sealed, "users/1/email");
    ASSERT_TRUE(opened) << size;
    EXPECT_EQ(opened->expose(), plain);
  }
}

TEST(Aead, EveryChangedBitIsNoticed) {
  const AeadKey key = AeadKey::generate();
  const std::string sealed = key.seal("secret", "path");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ 1 << bit % 8);
    ASSERT_FALSE(key.open(changed, "path")) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) ASSERT_FALSE(key.open(sealed.substr(0, size), "path"));
  EXPECT_FALSE(key.open(sealed + '\0', "path"));
  EXPECT_FALSE(key.open(sealed, "pat"));
  EXPECT_FALSE(key.open(sealed, ""));
  EXPECT_FALSE(AeadKey::generate().open(sealed, "path"));
  EXPECT_TRUE(key.open(sealed, "path"));
}

TEST(Aead, OneKeyForManyThreads) {
  const AeadKey key = AeadKey::generate();
  std::atomic<int> opened{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const std::string plain = std::to_string(t) + "/" + std::to_string(i);
        const auto again = key.open(key.seal(plain, "x"), "x");
        if (again && again->expose() == plain) ++opened;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(opened, 8000);
}

// The page behind a guarded key is not there: reading past its end ends the process.
TEST(GuardedKey, EndsBeforeAnInaccessiblePage) {
  const GuardedKey key("0123456789abcdef");
  EXPECT_EQ(key.expose(), "0123456789abcdef");
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const volatile char* past = key.expose().data() + key.expose().size();
    static_cast<void>(*past);
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_FALSE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "it read on";  // a sanitizer exits with 1 instead
}

}  // namespace
}  // namespace gatehouse::crypto
