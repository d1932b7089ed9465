#include "gateway/layers/rate/rate_table.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;
using Verdict = RateDecision::Verdict;

struct Step {
  Duration after;  // may be negative: a shard whose clock reading is older
  Verdict verdict;
  std::uint32_t remaining;
  Duration retry_after;
};
struct Case {
  const char* name;
  RateLimit limit;
  std::vector<Step> steps;
};

class RateTableCases : public testing::TestWithParam<Case> {};

TEST_P(RateTableCases, Decides) {
  auto table = RateTable::create(64);
  ASSERT_TRUE(table);
  MonotonicTime now(1000s);
  int step = 0;
  for (const Step& s : GetParam().steps) {
    now += s.after;
    const RateDecision decision = table->admit(77, GetParam().limit, now);
    ASSERT_EQ(decision.verdict, s.verdict) << step;
    ASSERT_EQ(decision.remaining, s.remaining) << step;
    ASSERT_EQ(decision.retry_after, s.retry_after) << step;
    ++step;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Gcra, RateTableCases,
    testing::Values(
        Case{"burst_then_refuse",
             {10, 1s, 3},
             {{0s, Verdict::admit, 2, 0s},
              {0s, Verdict::admit, 1, 0s},
              {0s, Verdict::admit, 0, 0s},
              {0s, Verdict::refuse, 0, 100ms},
              {50ms, Verdict::refuse, 0, 50ms}}},
        Case{"refills_at_the_windows_rate",
             {10, 1s, 1},
             {{0s, Verdict::admit, 0, 0s},
              {99ms, Verdict::refuse, 0, 1ms},
              {1ms, Verdict::admit, 0, 0s},
              {100ms, Verdict::admit, 0, 0s}}},
        Case{"a_pause_gives_the_burst_back_and_no_more",
             {10, 1s, 2},
             {{0s, Verdict::admit, 1, 0s},
              {0s, Verdict::admit, 0, 0s},
              {1h, Verdict::admit, 1, 0s},
              {0s, Verdict::admit, 0, 0s},
              {0s, Verdict::refuse, 0, 100ms}}},
        Case{"clock_steps_back",
             {10, 1s, 2},
             {{0s, Verdict::admit, 1, 0s},
              {-1s, Verdict::refuse, 0, 1s},
              {1s, Verdict::admit, 0, 0s},
              {0s, Verdict::refuse, 0, 100ms}}},
        Case{"slow_rates",
             {2, 24h, 1},
             {{0s, Verdict::admit, 0, 0s}, {12h - 1ns, Verdict::refuse, 0, 1ns}, {1ns, Verdict::admit, 0, 0s}}},
        Case{"a_rate_that_does_not_divide_the_window_admits_less",
             {3, 1s, 1},
             {{0s, Verdict::admit, 0, 0s}, {333333333ns, Verdict::refuse, 0, 1ns}, {1ns, Verdict::admit, 0, 0s}}},
        Case{"burst_zero_means_one", {10, 1s, 0}, {{0s, Verdict::admit, 0, 0s}, {0s, Verdict::refuse, 0, 100ms}}},
        Case{"absurd_limits_do_not_wrap",
             {1, std::chrono::hours(24 * 365 * 100), 0xffffffff},
             {{0s, Verdict::admit, 0, 0s}}},
        Case{"more_than_one_a_nanosecond",
             {1'000'000'000'000, 1s, 2},
             {{0s, Verdict::admit, 1, 0s}, {0s, Verdict::admit, 0, 0s}, {0s, Verdict::refuse, 0, 1ns}}}),
    [](const auto& test) { return test.param.name; });

TEST(RateTable, KeysAreApart) {
  auto table = RateTable::create(64);
  const RateLimit one{1, 1s, 1};
  const MonotonicTime now(1000s);
  for (std::uint64_t key = 1; key <= 8; ++key)
    EXPECT_EQ(table->admit(key << 40 | key, one, now).verdict, Verdict::admit);
  for (std::uint64_t key = 1; key <= 8; ++key)
    EXPECT_EQ(table->admit(key << 40 | key, one, now).verdict, Verdict::refuse);
}

TEST(RateTable, IdleEntriesMakeRoomFirst) {
  auto table = RateTable::create(8);
  MonotonicTime now(1000s);
  const RateLimit slow{1, 1h, 1}, fast{1000, 1s, 1};
  for (std::uint64_t key = 1; key <= 7; ++key) table->admit(key, slow, now);
  table->admit(8, fast, now);
  now += 1s;  // the entry of 8 has nothing left to limit
  EXPECT_EQ(table->admit(9, slow, now).verdict, Verdict::admit);
  EXPECT_EQ(table->live_evictions(), 0u);
  for (std::uint64_t key = 1; key <= 7; ++key) EXPECT_EQ(table->admit(key, slow, now).verdict, Verdict::refuse) << key;
  EXPECT_EQ(table->admit(10, slow, now).verdict, Verdict::admit);
  EXPECT_EQ(table->live_evictions(), 1u) << "all eight were live";
}

// The promise: never more than burst + rate x time, for any interleaving of two threads, while other keys come and go
// around (so that entries are evicted and entered all the time), and time jumps about.
TEST(RateTable, NeverMoreThanBurstPlusRateTimesTime) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(testing::Message() << "seed " << seed);
  auto table = RateTable::create(256);
  const RateLimit limit{1000, 1s, 20};
  constexpr int kKeys = 16;
  const MonotonicTime start(1000s);
  std::atomic<std::int64_t> elapsed{0};
  std::array<std::atomic<std::int64_t>, kKeys> admitted{};
  const auto work = [&](unsigned salt) {
    std::mt19937_64 random(seed + salt);
    for (int i = 0; i < 60000; ++i) {
      // Readings may be older than the other thread's latest.
      const MonotonicTime now = start + Duration(elapsed.fetch_add(static_cast<std::int64_t>(random() % 20'000)));
      const auto which = static_cast<std::size_t>(random() % kKeys);
      if (table->admit((which + 1) * 0x9e3779b97f4a7c15, limit, now).verdict == Verdict::admit) ++admitted[which];
      // A stranger, never seen again: always admitted, entered over some idle entry. Few enough to find one.
      if (i % 4 == 0) table->admit(random(), {1'000'000, 1s, 1}, now);
    }
  };
  std::thread other(work, 1);
  work(2);
  other.join();
  // A thread that was held up between reading the clock and asking takes entries for live that aren't any more; what it
  // evicts then may cost one burst, and is counted.
  const auto forgiven = static_cast<std::int64_t>(table->live_evictions() * limit.burst);
  const std::int64_t most = limit.burst + elapsed.load() / 1'000'000 + forgiven;
  std::int64_t total = 0;
  for (int key = 0; key < kKeys; ++key) {
    EXPECT_LE(admitted[key].load(), most) << key;
    total += admitted[key].load();
  }
  EXPECT_GT(total, most) << "the limit was reached, so the test says something";
}

}  // namespace
}  // namespace gatehouse::gateway
