#include "admin/dashboard/browser_sessions.h"

#include <gtest/gtest.h>

namespace gatehouse::admin {
namespace {

using namespace std::chrono_literals;

class FakeClock final : public Clock {
 public:
  MonotonicTime now() const noexcept override { return MonotonicTime(since_start); }
  WallTime wall() const noexcept override { return WallTime(1'750'000'000s) + since_start; }
  std::chrono::nanoseconds since_start = 1h;
};

TEST(BrowserSessions, EndWhenTheyAreNotUsed) {
  FakeClock clock;
  BrowserSessions sessions(clock);
  const std::string value = sessions.begin(Role::operate, "olga");
  clock.since_start += 29min;
  const Caller caller = sessions.find(value);
  EXPECT_EQ(caller.role, Role::operate);
  EXPECT_EQ(caller.name, "olga");
  EXPECT_TRUE(caller.by_cookie);
  EXPECT_EQ(*caller.expires, clock.wall() + 30min);
  clock.since_start += 29min;  // the look before counted as use
  EXPECT_EQ(sessions.find(value).role, Role::operate);
  clock.since_start += 30min;
  EXPECT_EQ(sessions.find(value).role, Role::none);
}

TEST(BrowserSessions, EndHoweverMuchTheyAreUsed) {
  FakeClock clock;
  BrowserSessions sessions(clock);
  const std::string value = sessions.begin(Role::viewer, "");
  for (int minutes = 0; minutes < 12 * 60 - 10; minutes += 10) {
    clock.since_start += 10min;
    ASSERT_EQ(sessions.find(value).role, Role::viewer) << minutes;
  }
  clock.since_start += 10min;
  EXPECT_EQ(sessions.find(value).role, Role::none);
}

TEST(BrowserSessions, EndOnDemandAndKnowNobodyElse) {
  FakeClock clock;
  BrowserSessions sessions(clock);
  const std::string one = sessions.begin(Role::administrator, "a"), other = sessions.begin(Role::viewer, "b");
  EXPECT_EQ(sessions.find("").role, Role::none);
  EXPECT_EQ(sessions.find(one.substr(1)).role, Role::none);
  sessions.end(one);
  EXPECT_EQ(sessions.find(one).role, Role::none);
  EXPECT_EQ(sessions.find(other).role, Role::viewer);
  sessions.end_all();
  EXPECT_EQ(sessions.find(other).role, Role::none);
}

TEST(BrowserSessions, TheOneThatEndsFirstMakesRoom) {
  FakeClock clock;
  BrowserSessions sessions(clock);
  const std::string first = sessions.begin(Role::viewer, "first");
  clock.since_start += 1s;
  const std::string second = sessions.begin(Role::viewer, "second");
  clock.since_start += 1s;
  EXPECT_EQ(sessions.find(first).role, Role::viewer);  // now `second` ends first
  for (std::size_t i = 2; i <= BrowserSessions::kSessionsMax; ++i) sessions.begin(Role::viewer, "more");
  EXPECT_EQ(sessions.find(second).role, Role::none);
  EXPECT_EQ(sessions.find(first).role, Role::viewer);
}

TEST(BrowserSessions, ACodeIsGoodOnceAndForAWhile) {
  FakeClock clock;
  BrowserSessions sessions(clock);
  const std::string code = sessions.make_code(Role::administrator, "uid=0");
  EXPECT_EQ(sessions.find(code).role, Role::none) << "a code is no session";
  const Caller caller = sessions.redeem(code);
  EXPECT_EQ(caller.role, Role::administrator);
  EXPECT_EQ(caller.name, "uid=0");
  EXPECT_EQ(sessions.redeem(code).role, Role::none);
  const std::string late = sessions.make_code(Role::administrator, "");
  clock.since_start += BrowserSessions::kCodeLife;
  EXPECT_EQ(sessions.redeem(late).role, Role::none);
  std::string oldest = sessions.make_code(Role::administrator, "");
  for (std::size_t i = 0; i < BrowserSessions::kCodesMax; ++i) {
    clock.since_start += 1s;
    sessions.make_code(Role::administrator, "");
  }
  EXPECT_EQ(sessions.redeem(oldest).role, Role::none);
}

}  // namespace
}  // namespace gatehouse::admin
