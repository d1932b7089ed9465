#include "identity/users/throttle.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace gatehouse::identity {
namespace {

using namespace std::chrono_literals;
using Verdict = ThrottleDecision::Verdict;

IpAddress address(std::uint32_t number) { return IpAddress::v4(0x0a000000u + number); }
IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

struct ThrottleTest : testing::Test {
  FakeClock clock;
  Throttle throttle{clock};

  // True: it went through, and was wrong.
  bool guess(std::string_view account, const IpAddress& from, std::string_view device = {}) {
    const ThrottleKey key{account, from, device};
    if (throttle.ask(key).verdict == Verdict::wait) return false;
    throttle.failed(key);
    return true;
  }
};

TEST_F(ThrottleTest, AFewFailuresAreFreeThenEachDoublesTheDelay) {
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(guess("a", address(1))) << i;
  for (const auto delay : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    const ThrottleDecision decision = throttle.ask({"a", address(1), {}});
    ASSERT_EQ(decision.verdict, Verdict::wait);
    EXPECT_EQ(decision.retry_after, delay);
    clock.advance(delay - 1ms);
    EXPECT_FALSE(guess("a", address(1)));
    EXPECT_EQ(throttle.ask({"a", address(1), {}}).retry_after, 1s) << "whole seconds, at least one";
    clock.advance(1ms);
    EXPECT_TRUE(guess("a", address(1)));
  }
}

TEST_F(ThrottleTest, TimeAndSuccessForgive) {
  for (int i = 0; i < 6; ++i) guess("a", address(1));
  clock.advance(15min);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(guess("a", address(1))) << "after the window";
  clock.advance(1s);
  ASSERT_EQ(throttle.ask({"a", address(1), {}}).verdict, Verdict::proceed);
  throttle.succeeded({"a", address(1), {}});
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(guess("a", address(1))) << "after a success";
}

TEST_F(ThrottleTest, ATryThatWasNoneCountsAsNone) {
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(throttle.ask({"a", address(1), {}}).verdict, Verdict::proceed) << i;
    throttle.not_tried({"a", address(1), {}});
  }
}

TEST_F(ThrottleTest, WaitingIsNoFailure) {
  for (int i = 0; i < 5; ++i) guess("a", address(1));
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(guess("a", address(1)));
  clock.advance(1s);
  EXPECT_TRUE(guess("a", address(1)));
}

TEST_F(ThrottleTest, AnAddressIsCountedOverAllAccountsByItsPrefix) {
  int through = 0;
  for (int i = 0; i < 1000; ++i) through += guess("user" + std::to_string(i), ip("2001:db8:1:2::" + std::to_string(i)));
  EXPECT_EQ(through, 20) << "one /64";
  EXPECT_TRUE(guess("user1001", ip("2001:db8:1:3::1"))) << "the next /64";
  through = 0;
  for (int i = 0; i < 1000; ++i) through += guess("user" + std::to_string(i), address(7));
  EXPECT_EQ(through, 20) << "one /32";
  EXPECT_TRUE(guess("user1002", address(8)));
}

TEST_F(ThrottleTest, OnesOwnAccountBuysNoGuessesAtOthers) {
  int guesses = 0;
  for (int i = 0; i < 500; ++i) {
    guesses += guess("victim" + std::to_string(i), address(1));
    const ThrottleKey own{"own", address(1), {}};
    if (throttle.ask(own).verdict == Verdict::proceed) throttle.succeeded(own);
  }
  EXPECT_EQ(guesses, 20);
}

// A botnet of 10,000 addresses at one account for an hour, each trying every 200 ms in turn; the owner signs in every
// five minutes, mistyping now and then.
TEST_F(ThrottleTest, ABotnetIsSlowAndTheOwnerIsNot) {
  int guesses = 0, owner_waited = 0, owner_signed_in = 0;
  const ThrottleKey owner{"owner", address(1), "device-of-the-owner"};
  for (int tick = 0; tick < 5 * 3600; ++tick) {
    guesses += guess("owner", address(100 + static_cast<std::uint32_t>(tick) % 10'000));
    if (tick % (5 * 300) == 0) {
      for (int attempt = 0; attempt < 3; ++attempt) {  // two wrong, one right
        if (throttle.ask(owner).verdict == Verdict::wait) {
          ++owner_waited;
        } else if (attempt < 2) {
          throttle.failed(owner);
        } else {
          throttle.succeeded(owner);
          ++owner_signed_in;
        }
      }
    }
    clock.advance(200ms);
  }
  EXPECT_EQ(owner_waited, 0);
  EXPECT_EQ(owner_signed_in, 12);
  EXPECT_LE(guesses, 5 + 6 + 60) << "the free ones, the doubling, then one a minute";
  // And from a browser that nobody knows the owner waits, but never for longer than the bound.
  EXPECT_LE(throttle.ask({"owner", address(1), {}}).retry_after, 60s);
}

TEST_F(ThrottleTest, AStolenDeviceHasACountOfItsOwn) {
  int guesses = 0;
  for (int i = 0; i < 100; ++i) guesses += guess("a", address(i), "stolen");
  EXPECT_EQ(guesses, 5);
  EXPECT_TRUE(guess("a", address(1), "another"));
  EXPECT_TRUE(guess("a", address(1)));
}

TEST_F(ThrottleTest, MadeUpNamesDoNotPushOutOneUnderAttack) {
  ThrottleOptions options;
  options.entries_max = 16 * 16;
  Throttle small(clock, options);
  const auto fail_at = [&](const std::string& account, std::uint32_t from) {
    const ThrottleKey key{account, address(from), {}};
    if (small.ask(key).verdict == Verdict::wait) return false;
    small.failed(key);
    return true;
  };
  for (std::uint32_t i = 0; i < 5; ++i) EXPECT_TRUE(fail_at("victim", i));
  for (std::uint32_t i = 0; i < 5000; ++i) fail_at("made-up-" + std::to_string(i), 1000 + i);
  EXPECT_FALSE(fail_at("victim", 99));
}

TEST_F(ThrottleTest, GuessesAtTheSameMomentFindTheSameBound) {
  std::atomic<int> through{0};
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint32_t i = 0; i < 500; ++i) {
        // None of them is told to have failed yet.
        through += throttle.ask({"a", address(t * 1000 + i), {}}).verdict == Verdict::proceed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(through, 5);
}

// An office signs in at the same moment, each of them with the right password: nobody waits for another.
TEST(Throttle, WhoSucceedsAtTheSameMomentWaitsForNobody) {
  Throttle throttle(SystemClock::instance(), {.free_per_account = 1'000'000, .free_per_address = 1'000'000});
  const IpAddress office = *IpAddress::parse("192.0.2.1");
  std::atomic<int> waits{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string name = "user" + std::to_string(t);
      for (int i = 0; i < 50'000; ++i) {
        if (throttle.ask({name, office, {}}).verdict != ThrottleDecision::Verdict::proceed) ++waits;
        throttle.succeeded({name, office, {}});
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(waits, 0);
}

// Tells another throttle at once.
class Messenger final : public FailureNews {
 public:
  void failed(std::string_view name) override {
    if (to != nullptr) to->failed_elsewhere(name, 1);
  }
  void forgotten(std::string_view name) override {
    if (to != nullptr) to->forgotten_elsewhere(name);
  }
  Throttle* to = nullptr;
};

TEST(ThrottleNews, CountsWhatFailedElsewhereAndHoldsWithoutIt) {
  FakeClock clock;
  Messenger from_one, from_two;
  Throttle one(clock, {}, &from_one), two(clock, {}, &from_two);
  from_one.to = &two, from_two.to = &one;
  const ThrottleKey key{"a", address(1), {}};
  for (Throttle* at : {&one, &two, &one, &two, &one}) {
    ASSERT_EQ(at->ask(key).verdict, Verdict::proceed);
    at->failed(key);
  }
  EXPECT_EQ(one.ask(key).verdict, Verdict::wait) << "five in all";
  EXPECT_EQ(two.ask(key).verdict, Verdict::wait) << "and nothing was tried here since";
  EXPECT_EQ(two.ask({"b", address(2), {}}).verdict, Verdict::proceed);
  clock.advance(1s);
  ASSERT_EQ(two.ask(key).verdict, Verdict::proceed);
  two.succeeded(key);
  clock.advance(1s);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(one.ask(key).verdict, Verdict::proceed) << "the account is forgiven everywhere";
    one.failed(key);
  }
  from_one.to = nullptr;  // it is gone
  int through = 0;
  const ThrottleKey other{"c", address(3), {}};
  for (int i = 0; i < 10; ++i) {
    if (one.ask(other).verdict == Verdict::wait) continue;
    one.failed(other);
    ++through;
  }
  EXPECT_EQ(through, 5) << "the local count";
}

TEST(ThrottleNews, AddressesAndDevicesAreHeardOfToo) {
  FakeClock clock;
  Messenger from_one;
  Throttle one(clock, {}, &from_one), two(clock);
  from_one.to = &two;
  for (int i = 0; i < 20; ++i) {
    const std::string account = "u" + std::to_string(i);
    const ThrottleKey key{account, ip("2001:db8::1"), {}};
    ASSERT_EQ(one.ask(key).verdict, Verdict::proceed);
    one.failed(key);
  }
  EXPECT_EQ(two.ask({"another", ip("2001:db8::2"), {}}).verdict, Verdict::wait);
  for (int i = 0; i < 5; ++i) {
    const ThrottleKey key{"a", address(1), "device"};
    ASSERT_EQ(one.ask(key).verdict, Verdict::proceed);
    one.failed(key);
  }
  EXPECT_EQ(two.ask({"a", address(1), "device"}).verdict, Verdict::wait);
  EXPECT_EQ(two.ask({"a", address(1), {}}).verdict, Verdict::proceed);
  for (const char* nonsense : {"", "account", "nobody:a"}) two.failed_elsewhere(nonsense, 100);
  two.failed_elsewhere("account:x", 4'000'000'000);
  two.failed_elsewhere("account:x", 4'000'000'000);
  EXPECT_EQ(two.ask({"x", address(9), {}}).retry_after, 60s) << "no further than the bound";
}

}  // namespace
}  // namespace gatehouse::identity
