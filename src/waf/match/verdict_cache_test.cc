#include "waf/match/verdict_cache.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace gatehouse::waf {
namespace {

std::vector<std::uint32_t> rules_of(VerdictCache& cache, std::uint32_t domain, std::string_view value) {
  const auto found = cache.find(domain, value);
  return found ? std::vector<std::uint32_t>(found->begin(), found->end()) : std::vector<std::uint32_t>{UINT32_MAX};
}
const std::vector<std::uint32_t> kNothing{UINT32_MAX};

TEST(VerdictCache, KnowsWhatWasStoredByFieldAndBytes) {
  VerdictCache cache;
  EXPECT_EQ(rules_of(cache, 1, "value"), kNothing);
  cache.store(1, "value", std::vector<std::uint32_t>{7, 9});
  cache.store(2, "value", {});
  cache.store(1, "", std::vector<std::uint32_t>{3});
  EXPECT_EQ(rules_of(cache, 1, "value"), (std::vector<std::uint32_t>{7, 9}));
  EXPECT_EQ(rules_of(cache, 2, "value"), std::vector<std::uint32_t>{});
  EXPECT_EQ(rules_of(cache, 1, ""), std::vector<std::uint32_t>{3});
  EXPECT_EQ(rules_of(cache, 3, "value"), kNothing);
  EXPECT_EQ(rules_of(cache, 1, "valu"), kNothing);
  EXPECT_EQ(rules_of(cache, 1, std::string_view("value\0", 6)), kNothing);
}

TEST(VerdictCache, LeavesOutWhatHasNoRoom) {
  VerdictCache cache;
  const std::string long_value(VerdictCache::kBytesMax + 1, 'a');
  EXPECT_FALSE(VerdictCache::takes(long_value));
  cache.store(1, long_value, {});
  cache.store(1, "many", std::vector<std::uint32_t>(VerdictCache::kRulesMax + 1));
  EXPECT_EQ(rules_of(cache, 1, long_value), kNothing);
  EXPECT_EQ(rules_of(cache, 1, "many"), kNothing);
}

// A body of a few hundred values repeats without scans, whatever the key: sets that overflow are rare.
TEST(VerdictCache, HoldsAThousandValues) {
  for (int turn = 0; turn < 20; ++turn) {
    VerdictCache cache;
    for (std::uint32_t i = 0; i < 1000; ++i) cache.store(1, "value " + std::to_string(i), std::vector{i});
    int known = 0;
    for (std::uint32_t i = 0; i < 1000; ++i)
      known += rules_of(cache, 1, "value " + std::to_string(i)) == std::vector{i};
    EXPECT_GE(known, 990);
  }
}

TEST(VerdictCache, TakesShortAndLongValues) {
  for (std::size_t size = 0; size <= VerdictCache::kBytesMax; ++size) {
    VerdictCache cache;
    cache.store(1, std::string(size, 'a'), std::vector<std::uint32_t>(VerdictCache::kRulesMax, 7));
    EXPECT_EQ(rules_of(cache, 1, std::string(size, 'a')), std::vector<std::uint32_t>(VerdictCache::kRulesMax, 7));
  }
}

// Values that repeat in turn find room among others that are not wanted any more.
TEST(VerdictCache, WhatRepeatsReplacesWhatDoesNot) {
  VerdictCache cache(8);
  for (int i = 0; i < 1000; ++i) cache.store(1, std::string(100, 'a') + std::to_string(i), {});
  const std::string first(100, 'b'), second(100, 'c');
  int found = 0;
  for (int turn = 0; turn < 100; ++turn) {
    for (const std::string& value : {first, second}) {
      if (rules_of(cache, 1, value) != kNothing) {
        ++found;
      } else {
        cache.store(1, value, {});
      }
    }
  }
  EXPECT_GT(found, 190);
}

// A stream of values that come once does not push out one that repeats.
TEST(VerdictCache, WhatRepeatsStays) {
  VerdictCache cache(8);  // one set of long values
  const std::string often(100, 'a');
  cache.store(1, often, {});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_NE(rules_of(cache, 1, often), kNothing) << i;
    cache.store(1, std::string(100, 'b') + std::to_string(i), {});
  }
}

}  // namespace
}  // namespace gatehouse::waf
