#include "admin/live/traffic.h"

#include <gtest/gtest.h>

namespace gatehouse::admin {
namespace {

using namespace std::chrono_literals;
using telemetry::Layer;
using telemetry::PackedKey;
using telemetry::Verdict;

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return MonotonicTime(time.time_since_epoch()); }
  WallTime wall() const noexcept override { return time; }
  WallTime time{1'750'000'000s};
};

PackedKey key(Verdict verdict, Layer layer, std::uint8_t status_class) {
  PackedKey key{};
  key.verdict = verdict, key.layer = layer, key.status_class = status_class;
  return key;
}

TEST(Traffic, CountsBySecondVerdictAndLayer) {
  FakeClock clock;
  Traffic traffic(clock);
  EXPECT_FALSE(traffic.tick());
  traffic.count(key(Verdict::pass, Layer::upstream, 2));
  traffic.count(key(Verdict::deny, Layer::rate, 4));
  traffic.count(key(Verdict::deny, Layer::rate, 4));
  traffic.missed(3);
  EXPECT_EQ(to_json(traffic, 900), R"({"seconds":[]})") << "the second that is being counted is not shown";
  clock.time += 1s;
  EXPECT_TRUE(traffic.tick());
  EXPECT_EQ(to_json(traffic, 900),
            R"({"seconds":[{"time":"2025-06-15T15:06:40.000000Z","requests":3,"verdicts":{"pass":1,"deny":2},)"
            R"("status":{"2xx":1,"4xx":2},"layers":{"rate":{"deny":2}},"remarked":0,"missed":3}]})");
}

TEST(Traffic, IsWithoutGapsAndBounded) {
  FakeClock clock;
  Traffic traffic(clock);
  clock.time += 5s;
  EXPECT_TRUE(traffic.tick());
  EXPECT_EQ(traffic.seconds().size(), 6u) << "the seconds between are there, and empty";
  for (int i = 0; i < 2000; ++i) clock.time += 1s, traffic.tick();
  EXPECT_EQ(traffic.seconds().size(), Traffic::kSecondsMax);
  for (std::size_t i = 1; i < traffic.seconds().size(); ++i)
    ASSERT_EQ(traffic.seconds()[i].second, traffic.seconds()[i - 1].second + 1);
}

TEST(Traffic, AClockThatIsSetDoesNoHarm) {
  for (const auto step : {std::chrono::seconds(-3600), std::chrono::seconds(365 * 24 * 3600)}) {
    FakeClock clock;
    Traffic traffic(clock);
    clock.time += 10s;
    traffic.tick();
    traffic.count(key(Verdict::pass, Layer::upstream, 2));
    clock.time += step;
    EXPECT_TRUE(traffic.tick());
    EXPECT_EQ(traffic.seconds().size(), 2u) << "begins anew, with what was being counted";
    EXPECT_EQ(traffic.last().verdicts[0], 1u);
    clock.time += 1s;
    EXPECT_TRUE(traffic.tick());
  }
}

}  // namespace
}  // namespace gatehouse::admin
