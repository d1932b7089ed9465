#include "crypto/argon2_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "crypto/password_hash.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
namespace gatehouse::crypto {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;
constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE;

void* map(std::size_t size, int flags = kFlags) { return ::mmap(nullptr, size, PROT_READ | PROT_WRITE, flags, -1, 0); }

// What the kernel says about the mapping that `at` lies in ("VmFlags: rd wr ... hg"); nothing when it lies in none.
std::optional<std::string> flags_at(const void* at) {
  std::ifstream maps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<std::uintptr_t>(at);
  bool here = false;
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) here = begin <= wanted && wanted < end;
    if (here && line.starts_with("VmFlags:")) return line;
  }
  return std::nullopt;
}

bool has_large_pages(const void* at) {
  const auto flags = flags_at(at);
  return flags && flags->find(" hg") != std::string::npos;
}

TEST(Argon2Memory, WhatIsMappedInsideHasLargePagesAndGoesWhole) {
  const std::size_t size = 19 * kMiB + 5000;  // as libsodium's: a little more than a whole number of pages
  void* at = nullptr;
  {
    const Argon2Memory memory;
    at = map(size);
  }
  ASSERT_NE(at, MAP_FAILED);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(at) % (2 * kMiB), 0U);
  EXPECT_TRUE(has_large_pages(at));
  auto* bytes = static_cast<char*>(at);
  EXPECT_EQ(bytes[0], 0);
  bytes[size - 1] = 1;
  ASSERT_EQ(::munmap(at, size), 0);
  EXPECT_FALSE(has_large_pages(bytes));
  EXPECT_FALSE(has_large_pages(bytes + size - 1));
}

TEST(Argon2Memory, OthersAreMappedAsTheyAsk) {
  void* outside = map(4 * kMiB);
  EXPECT_FALSE(has_large_pages(outside));
  const Argon2Memory memory;
  void* small = map(kMiB);
  void* lazy = map(4 * kMiB, MAP_PRIVATE | MAP_ANONYMOUS);
  EXPECT_FALSE(has_large_pages(small));
  EXPECT_FALSE(has_large_pages(lazy));
  EXPECT_EQ(map(std::size_t{1} << 60), MAP_FAILED);
  EXPECT_EQ(errno, ENOMEM);
  ::munmap(outside, 4 * kMiB);
  ::munmap(small, kMiB);
  ::munmap(lazy, 4 * kMiB);
}

// The library's call has to arrive here: a build in which it does not loses half of its logins, silently.
TEST(Argon2Memory, TheLibraryIsGivenIt) {
  const std::size_t before = Argon2Memory::mappings();
  const auto phc = hash_password("correct horse battery staple");
  ASSERT_TRUE(phc);
  EXPECT_EQ(Argon2Memory::mappings(), before + 1);
  EXPECT_EQ(verify_password(*phc, "correct horse battery staple"), PasswordVerdict::match);
  EXPECT_EQ(Argon2Memory::mappings(), before + 2);
  ASSERT_TRUE(
      key_from_passphrase("correct horse battery staple", "0123456789abcdef", {.memory_kib = 4096, .passes = 1}));
  EXPECT_EQ(Argon2Memory::mappings(), before + 3);
}

}  // namespace
}  // namespace gatehouse::crypto
#endif
