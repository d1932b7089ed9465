#include "admin/events_api.h"

#include <gtest/gtest.h>

namespace gatehouse::admin {
namespace {

TEST(EventsApi, Times) {
  const WallTime now(std::chrono::seconds(1'750'000'000));  // 2025-06-15T15:06:40Z
  struct Case {
    const char* text;
    std::optional<Duration> after;  // now; nullopt: no time
  };
  using namespace std::chrono_literals;
  const Case cases[] = {
      {"2025-06-15T15:06:40Z", 0s},
      {"2025-06-15 15:06:41Z", 1s},
      {"2025-06-15T15:06:40.25Z", 250ms},
      {"2025-06-15T15:06:40.000000001Z", 1ns},
      {"2025-06-14T15:06:40Z", -24h},
      {"15m", -15min},
      {"7d", -24h * 7},
      {"", std::nullopt},
      {"2025-06-15", std::nullopt},
      {"2025-06-15T15:06:40", std::nullopt},
      {"2025-06-15T15:06:40+02:00", std::nullopt},
      {"2025-02-30T15:06:40Z", std::nullopt},
      {"2025-06-15T24:06:40Z", std::nullopt},
      {"2025-06-15T15:06:40.Z", std::nullopt},
      {"2025-06-15T15:06:40.1234567890Z", std::nullopt},
      {"2025-06-15T15:06:40.1xZ", std::nullopt},
      {"9999-06-15T15:06:40Z", std::nullopt},
      {"-1m", std::nullopt},
      {"0s", std::nullopt},
  };
  for (const Case& c : cases) {
    const auto time = parse_time(c.text, now);
    ASSERT_EQ(time.has_value(), c.after.has_value()) << c.text;
    if (time) {
      EXPECT_EQ(*time, now + *c.after) << c.text;
    }
  }
}

}  // namespace
}  // namespace gatehouse::admin
