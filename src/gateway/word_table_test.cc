#include "gateway/word_table.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "gateway/count_table.h"

namespace gatehouse::gateway {
namespace {

std::optional<std::uint64_t> stored(WordTable& table, std::uint64_t key, std::uint64_t word) {
  table.update(key, [word](std::optional<std::uint64_t>) { return std::optional(word); });
  return table.load(key);
}

TEST(WordTable, StoresUpdatesAndFrees) {
  auto table = WordTable::create(64);
  ASSERT_TRUE(table);
  EXPECT_EQ(table->capacity(), 64u);
  EXPECT_EQ(table->load(7), std::nullopt);
  EXPECT_EQ(stored(*table, 7, 42), 42u);
  EXPECT_EQ(stored(*table, 7, 43), 43u);
  EXPECT_EQ(table->used(), 1u);
  EXPECT_EQ(stored(*table, 7, 0), std::nullopt);
  EXPECT_EQ(table->used(), 0u);
  EXPECT_EQ(stored(*table, 0, 5), 5u) << "key 0 has a place too";
}

TEST(WordTable, SizeIsRoundedUp) {
  EXPECT_EQ(WordTable::create(0)->capacity(), 8u);
  EXPECT_EQ(WordTable::create(1000)->capacity(), 1024u);
}

TEST(WordTable, FullBucketGivesUpTheSmallestWord) {
  auto table = WordTable::create(8);
  for (std::uint64_t key = 1; key <= 8; ++key) ASSERT_EQ(stored(*table, key, 100 + key), 100 + key);
  const auto update = table->update(9, [](std::optional<std::uint64_t>) { return std::optional<std::uint64_t>(500); });
  EXPECT_EQ(update.evicted_key, 1u);
  EXPECT_EQ(update.evicted_word, 101u);
  EXPECT_EQ(table->load(1), std::nullopt);
  EXPECT_EQ(table->load(9), 500u);
  EXPECT_EQ(table->used(), 8u);
}

// Invariant (2): threads that enter the same keys at the same moment never make two entries of one. Words only grow,
// as times do.
TEST(WordTable, OneEntryPerKeyUnderContention) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  auto table = WordTable::create(1024);
  constexpr std::uint64_t kKeys = 400;
  constexpr int kRounds = 50;
  std::atomic<std::uint64_t> time{1};
  const auto work = [&](unsigned salt) {
    std::mt19937_64 random(seed + salt);
    for (int round = 0; round < kRounds; ++round) {
      for (std::uint64_t i = 0; i < kKeys; ++i) {
        const std::uint64_t key = (random() % kKeys + 1) * 0x9e3779b97f4a7c15;
        table->update(key, [&](std::optional<std::uint64_t> word) {
          return std::optional(std::max(word.value_or(0), time.fetch_add(1)) + 1);
        });
      }
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  EXPECT_LE(table->used(), kKeys);
}

TEST(CountTable, CountsExactly) {
  auto table = CountTable::create(64);
  ASSERT_TRUE(table);
  using Acquired = CountTable::Acquired;
  EXPECT_EQ(table->acquire(7, 0), Acquired::over);
  EXPECT_EQ(table->acquire(7, 2), Acquired::ok);
  EXPECT_EQ(table->acquire(7, 2), Acquired::ok);
  EXPECT_EQ(table->acquire(7, 2), Acquired::over);
  EXPECT_EQ(table->count(7), 2u);
  EXPECT_EQ(table->acquire(8, 2), Acquired::ok);
  table->release(7);
  EXPECT_EQ(table->acquire(7, 2), Acquired::ok);
  table->release(7), table->release(7), table->release(8);
  EXPECT_EQ(table->total(), 0u);
}

TEST(CountTable, FullIsRefusedAndPlacesComeBack) {
  auto table = CountTable::create(8);
  for (std::uint64_t key = 1; key <= 8; ++key) ASSERT_EQ(table->acquire(key, 9), CountTable::Acquired::ok);
  EXPECT_EQ(table->acquire(9, 9), CountTable::Acquired::full);
  EXPECT_EQ(table->acquire(3, 9), CountTable::Acquired::ok) << "known keys go on";
  table->release(5);
  EXPECT_EQ(table->acquire(9, 9), CountTable::Acquired::ok);
  EXPECT_EQ(table->count(5), 0u);
}

TEST(CountTableDeathTest, ReleaseWithoutAcquireIsABug) {
  auto table = CountTable::create(8);
  EXPECT_DEATH(table->release(1), "CHECK failed");
}

// Two threads take and give back a few keys; none ever sees more than the bound, and nothing is left over.
TEST(CountTable, NeverAboveTheBoundUnderContention) {
  auto table = CountTable::create(16);
  constexpr std::uint32_t kMax = 3;
  constexpr int kKeys = 12;
  std::array<std::atomic<int>, kKeys> held{};
  std::atomic<int> worst{0};
  const auto work = [&](unsigned seed) {
    std::mt19937_64 random(seed);
    std::array<int, kKeys> mine{};
    for (int i = 0; i < 20000; ++i) {
      const auto which = static_cast<std::size_t>(random() % kKeys);
      const std::uint64_t key = (which + 1) * 0x9e3779b97f4a7c15;
      if (mine[which] < 2 && table->acquire(key, kMax) == CountTable::Acquired::ok) {
        ++mine[which];
        const int now = ++held[which];
        int seen = worst.load();
        while (now > seen && !worst.compare_exchange_weak(seen, now)) {
        }
      } else if (mine[which] > 0) {
        --mine[which], --held[which];
        table->release(key);
      }
    }
    for (std::size_t which = 0; which < kKeys; ++which) {
      for (; mine[which] > 0; --mine[which]) {
        --held[which];  // before the release: what is held is never more than what is counted
        table->release((which + 1) * 0x9e3779b97f4a7c15);
      }
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  EXPECT_LE(worst.load(), static_cast<int>(kMax));
  EXPECT_EQ(table->total(), 0u);
}

}  // namespace
}  // namespace gatehouse::gateway
