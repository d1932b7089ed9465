#include "base/block_pool.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

constexpr std::size_t kRecord = 16 * 1024 + 325;  // what OpenSSL takes for a record and its head

// Each in a thread of its own: the lists are the thread's, and its end gives the blocks back.
template <class Body>
void in_thread(Body body) {
  std::thread(body).join();
}

TEST(BlockPool, WhatIsHandedOutIsLargeEnough) {
  in_thread([] {
    for (int round = 0; round < 3; ++round) {
      std::vector<void*> blocks;
      for (std::size_t size = 0; size < 20'000; size += size < 2200 ? 1 : 97) {
        void* block = block_pool::allocate(size);
        ASSERT_NE(block, nullptr);
        std::memset(block, static_cast<int>(size), size);  // the sanitizers and malloc's own checks would tell
        blocks.push_back(block);
      }
      EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
      for (void* block : blocks) block_pool::release(block);
    }
  });
}

TEST(BlockPool, BlocksOfMallocMayBeGivenBack) {
  in_thread([] {
    for (std::size_t size = 1; size < 20'000; size += 7) {
      block_pool::release(std::malloc(size));
      void* block = block_pool::allocate(size);
      std::memset(block, 1, size);
      block_pool::release(block);
    }
    block_pool::release(nullptr);
  });
}

// Under a sanitizer the pool is malloc, and which block comes next is not ours to say.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

TEST(BlockPool, ABlockIsTakenAgainForItsSize) {
  in_thread([] {
    for (const std::size_t size : {std::size_t{1}, std::size_t{64}, std::size_t{65}, std::size_t{2048}, kRecord}) {
      void* first = block_pool::allocate(size);
      std::memset(first, 1, size);
      block_pool::release(first);
      void* other = block_pool::allocate(300);  // another size
      EXPECT_NE(other, first) << size;
      EXPECT_EQ(block_pool::allocate(size), first) << size;
      block_pool::release(first);
      block_pool::release(other);
    }
  });
}

TEST(BlockPool, KeepsABoundedNumber) {
  in_thread([] {
    for (const auto& [size, bound] :
         {std::pair{kRecord, block_pool::kRecordsMax}, std::pair{std::size_t{500}, block_pool::kBlocksMax}}) {
      std::vector<void*> blocks;
      for (std::size_t i = 0; i < 3 * bound; ++i) blocks.push_back(block_pool::allocate(size));
      for (void* block : blocks) block_pool::release(block);
      // the first ones were kept, and come back last in, first out
      for (std::size_t i = bound; i-- > 0;) EXPECT_EQ(block_pool::allocate(size), blocks[i]);
      for (std::size_t i = 0; i < bound; ++i) block_pool::release(blocks[i]);
    }
  });
}

TEST(BlockPool, ABlockMayBeGivenBackByAnotherThread) {
  void* block = block_pool::allocate(kRecord);
  in_thread([block] {
    block_pool::release(block);
    EXPECT_EQ(block_pool::allocate(kRecord), block);
    block_pool::release(block);
  });
}

#endif

}  // namespace
}  // namespace gatehouse
