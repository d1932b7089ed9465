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

TEST(VerdictCache, ASetHoldsTwo) {
  VerdictCache cache(1);
  cache.store(1, "one", {});
  cache.store(1, "two", {});
  EXPECT_NE(rules_of(cache, 1, "one"), kNothing);
  EXPECT_NE(rules_of(cache, 1, "two"), kNothing);
}

// A stream of values that come once does not push out one that repeats.
TEST(VerdictCache, WhatRepeatsStays) {
  VerdictCache cache(1);
  cache.store(1, "often", {});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_NE(rules_of(cache, 1, "often"), kNothing) << i;
    cache.store(1, "once " + std::to_string(i), {});
  }
}

}  // namespace
}  // namespace gatehouse::waf
