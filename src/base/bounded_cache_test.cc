#include "base/bounded_cache.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace gatehouse {
namespace {

using namespace std::chrono_literals;

const WallTime kNow(1000s);

int look(BoundedCache<int>& cache, std::uint64_t hash, std::string_view key, WallTime now = kNow) {
  int value = -1;
  cache.find(hash, key, now, [&](int found) { value = found; });
  return value;
}

TEST(BoundedCache, FindsExactlyWhatWasPut) {
  BoundedCache<int> cache(64);
  cache.insert(7, "a", kNow, kNow + 10s, 1);
  EXPECT_EQ(look(cache, 7, "a"), 1);
  EXPECT_EQ(look(cache, 7, "b"), -1) << "same hash, another key";
  EXPECT_EQ(look(cache, 7, "a", kNow + 10s), -1) << "expired";
  cache.insert(7, "a", kNow, kNow + 20s, 2);
  EXPECT_EQ(look(cache, 7, "a"), 2) << "replaced";
  EXPECT_EQ(look(cache, 7, "a", kNow + 10s), 2);
  cache.erase(7, "b");
  EXPECT_EQ(look(cache, 7, "a"), 2);
  cache.erase(7, "a");
  EXPECT_EQ(look(cache, 7, "a"), -1);
}

TEST(BoundedCache, EvictsTheExpiredThenTheLeastRecentlyUsed) {
  BoundedCache<int> cache(4);  // one bucket
  for (int i = 0; i < 4; ++i) cache.insert(1, std::to_string(i), kNow, kNow + (i == 2 ? 1s : 100s), i);
  EXPECT_EQ(look(cache, 1, "0"), 0);  // so that 1 is the oldest
  cache.insert(1, "4", kNow + 1s, kNow + 100s, 4);
  EXPECT_EQ(look(cache, 1, "2"), -1) << "had expired";
  EXPECT_EQ(look(cache, 1, "1"), 1);
  EXPECT_EQ(look(cache, 1, "0"), 0);
  EXPECT_EQ(look(cache, 1, "4"), 4);
  cache.insert(1, "5", kNow, kNow + 100s, 5);
  EXPECT_EQ(look(cache, 1, "3"), -1) << "used longest ago";
  EXPECT_EQ(cache.capacity(), 4U);
}

TEST(BoundedCache, ThreadsSeeOnlyWholeEntries) {
  BoundedCache<std::string> cache(8);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        const std::string key = std::to_string((i * 7 + t) % 40);
        const auto hash = static_cast<std::uint64_t>((i * 7 + t) % 3);
        cache.find(hash, key, kNow, [&](const std::string& value) { wrong += value != key + "!"; });
        cache.insert(hash, key, kNow, kNow + 1s, key + "!");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace gatehouse
