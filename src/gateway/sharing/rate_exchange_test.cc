#include "gateway/sharing/rate_exchange.h"

#include <gtest/gtest.h>

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

class RateExchangeTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kInterval = 10'000'000;  // 100 a second
  RateUse use(std::uint64_t key, std::uint64_t burst, std::uint64_t owed_requests = 1) {
    return {key, kInterval, burst * kInterval, owed_requests * kInterval};
  }
  RateTable table_ = RateTable::create(1024).value();
  RateExchange exchange_{table_};
  MonotonicTime now_{1000s};
};

TEST_F(RateExchangeTest, ASixteenthOfTheBurstIsWorthTelling) {
  for (int i = 0; i < 12; ++i) exchange_.add(use(1, 200), now_);
  EXPECT_TRUE(exchange_.take(10).empty()) << "12 of 200";
  exchange_.add(use(1, 200), now_);
  const auto batch = exchange_.take(10);
  ASSERT_EQ(batch.size(), 1u);
  EXPECT_EQ(batch[0].uses, 13u) << "those before are told with it";
  EXPECT_TRUE(exchange_.take(10).empty());
  EXPECT_EQ(exchange_.keys(), 0u);
}

TEST_F(RateExchangeTest, SoIsEveryUseOfASmallBurstAndOfABucketHalfUsedUp) {
  exchange_.add(use(1, 5), now_);
  exchange_.add(use(2, 200, 100), now_);
  exchange_.add(use(3, 200, 101), now_);
  const auto batch = exchange_.take(10);
  ASSERT_EQ(batch.size(), 2u);
  EXPECT_EQ(batch[0].key, 1u);
  EXPECT_EQ(batch[1].key, 3u);
}

TEST_F(RateExchangeTest, WhatRanOutIsForgotten) {
  exchange_.add(use(1, 200), now_);   // a bucket of two seconds
  exchange_.add(use(2, 2000), now_);  // of twenty
  exchange_.add(use(3, 1), now_);     // due
  exchange_.sweep(now_ + 3s);
  EXPECT_EQ(exchange_.keys(), 2u);
  EXPECT_EQ(exchange_.take(10).size(), 1u);
}

TEST_F(RateExchangeTest, IsBounded) {
  std::size_t refused = 0;
  for (std::uint64_t key = 1; key <= RateExchange::kKeysMax + 10; ++key) refused += !exchange_.add(use(key, 1), now_);
  EXPECT_EQ(refused, 10u);
  std::size_t taken = 0, turns = 0;
  for (; exchange_.keys() > 0; ++turns) taken += exchange_.take(RateExchange::kTellMax).size();
  EXPECT_EQ(taken, RateExchange::kKeysMax);
  EXPECT_EQ(turns, RateExchange::kKeysMax / RateExchange::kTellMax);
}

TEST_F(RateExchangeTest, WhatOthersAdmittedIsChargedHere) {
  const RateLimit limit{100, 1s, 4};
  const RateExchange::Batch batch{{7, kInterval, 4 * kInterval, 1}};
  EXPECT_EQ(table_.admit(7, limit, now_).remaining, 3u);
  exchange_.add(use(7, 4), now_);  // admitted since it was told
  exchange_.heard(batch, {20'000}, now_);
  EXPECT_EQ(table_.admit(7, limit, now_).remaining, 0u) << "two heard of, one since, this one";
  // Never less than is known here.
  exchange_.heard(batch, {10'000}, now_);
  EXPECT_EQ(table_.admit(7, limit, now_).verdict, RateDecision::Verdict::refuse);
}

TEST_F(RateExchangeTest, NonsenseChargesNobody) {
  const RateLimit limit{100, 1s, 4};
  const RateExchange::Batch batch{{7, kInterval, 4 * kInterval, 1}};
  for (const std::int64_t owed :
       {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 62, static_cast<std::int64_t>(65 * 4 * kInterval / 1000)})
    exchange_.heard(batch, {owed}, now_);
  exchange_.heard(batch, {}, now_);
  EXPECT_EQ(table_.admit(7, limit, now_).remaining, 3u);
  exchange_.heard(batch, {static_cast<std::int64_t>(64 * 4 * kInterval / 1000)}, now_);
  EXPECT_EQ(table_.admit(7, limit, now_).retry_after, Duration((64 * 4 - 3) * kInterval)) << "64 gateways can";
}

TEST_F(RateExchangeTest, TheCallNamesKeysAndCosts) {
  const RateExchange::Batch batch{{7, kInterval, 4 * kInterval, 3}, {0xff, 1, 2, 1}};
  EXPECT_EQ(RateExchange::words(batch, "p:"),
            (std::vector<std::string>{"2", "p:rate:0000000000000007", "p:rate:00000000000000ff", "30000.000",
                                      "2560000.000", "0.001", "0.128"}));
}

}  // namespace
}  // namespace gatehouse::gateway
