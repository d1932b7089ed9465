#include "gateway/upstream/retry.h"

#include <gtest/gtest.h>

#include <thread>

namespace gatehouse::gateway {
namespace {

using http::Failure;
using http::FailureKind;
using http::Reason;

struct RetryCase {
  const char* name;
  const char* method;
  std::optional<Failure> failure;
  int status = 0;
  RetryVerdict expected;
  std::uint32_t attempts = 1;
  bool replayable = true;
  bool answered = false;
};

constexpr Failure kConnect{FailureKind::connect, Reason::none, false, true};
constexpr Failure kConnectTimeout{FailureKind::connect_timeout, Reason::none, false, true};
constexpr Failure kTls{FailureKind::tls, Reason::none, false, true};
constexpr Failure kReset{FailureKind::reset, Reason::peer_closed, false, false};
constexpr Failure kResetUnseen{FailureKind::reset, Reason::peer_closed, false, true};
constexpr Failure kResetInAnswer{FailureKind::reset, Reason::truncated, true, false};
constexpr Failure kRefused{FailureKind::refused_stream, Reason::none, false, true};
constexpr Failure kGarbage{FailureKind::bad_response, Reason::bad_status_line, false, false};
constexpr Failure kTimeout{FailureKind::response_timeout, Reason::none, false, false};
constexpr Failure kOpen{FailureKind::circuit_open, Reason::none, false, true};

const RetryCase kCases[] = {
    {"refused connection, GET", "GET", kConnect, 0, RetryVerdict::retry},
    {"refused connection, POST: nothing was sent", "POST", kConnect, 0, RetryVerdict::retry},
    {"connect timeout, POST", "POST", kConnectTimeout, 0, RetryVerdict::retry},
    {"handshake, PATCH", "PATCH", kTls, 0, RetryVerdict::retry},
    {"reset, GET", "GET", kReset, 0, RetryVerdict::retry},
    {"reset, PUT", "PUT", kReset, 0, RetryVerdict::retry},
    {"reset, DELETE", "DELETE", kReset, 0, RetryVerdict::retry},
    {"reset, POST: it may have acted", "POST", kReset, 0, RetryVerdict::not_idempotent},
    {"reset, unknown method", "PURGE", kReset, 0, RetryVerdict::not_idempotent},
    {"reset before anything was read, POST", "POST", kResetUnseen, 0, RetryVerdict::retry},
    {"reset in the answer", "GET", kResetInAnswer, 0, RetryVerdict::answered},
    {"stream refused, POST", "POST", kRefused, 0, RetryVerdict::retry},
    {"garbage for an answer", "GET", kGarbage, 0, RetryVerdict::not_configured},
    {"no answer in time", "GET", kTimeout, 0, RetryVerdict::not_configured},
    {"circuit open", "GET", kOpen, 0, RetryVerdict::limit_of_ours},
    {"503, GET", "GET", std::nullopt, 503, RetryVerdict::retry},
    {"502, GET", "GET", std::nullopt, 502, RetryVerdict::retry},
    {"503, POST", "POST", std::nullopt, 503, RetryVerdict::not_idempotent},
    {"500, GET", "GET", std::nullopt, 500, RetryVerdict::not_configured},
    {"200, GET", "GET", std::nullopt, 200, RetryVerdict::not_configured},
    {"503 that the client has seen a part of", "GET", std::nullopt, 503, RetryVerdict::answered, 1, true, true},
    {"last attempt", "GET", kConnect, 0, RetryVerdict::attempts_spent, 2},
    {"body gone", "PUT", kReset, 0, RetryVerdict::body_not_replayable, 1, false},
    {"body gone, nothing was sent", "PUT", kConnect, 0, RetryVerdict::body_not_replayable, 1, false},
};

TEST(JudgeRetry, Table) {
  for (const RetryCase& c : kCases) {
    SCOPED_TRACE(c.name);
    const AttemptResult result{c.method,  c.failure ? &*c.failure : nullptr, c.status, c.attempts, c.replayable,
                               c.answered};
    EXPECT_EQ(name_of(judge_retry(RetryConfig{}, result)), name_of(c.expected));
  }
}

TEST(JudgeRetry, OnlyWhatIsConfigured) {
  RetryConfig config;
  config.on_connect_failure = config.on_reset = false;
  config.on_status.clear();
  for (const Failure* failure : {&kConnect, &kTls, &kReset, &kResetUnseen, &kRefused}) {
    EXPECT_EQ(judge_retry(config, {"GET", failure}), RetryVerdict::not_configured);
  }
  EXPECT_EQ(judge_retry(config, {"GET", nullptr, 503}), RetryVerdict::not_configured);
  config.on_reset = true;
  EXPECT_EQ(judge_retry(config, {"GET", &kConnect}), RetryVerdict::not_configured);
  EXPECT_EQ(judge_retry(config, {"GET", &kReset}), RetryVerdict::retry);
}

TEST(RetryBudget, AFloorForQuietServices) {
  const FakeClock clock;
  RetryBudget budget(20);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take_retry(clock.now())) << i;
  EXPECT_FALSE(budget.take_retry(clock.now()));
}

TEST(RetryBudget, APercentageOfTenSeconds) {
  FakeClock clock;
  RetryBudget budget(20);
  for (int second = 0; second < 10; ++second) {
    for (int i = 0; i < 100; ++i) budget.count_request(clock.now());
    if (second != 9) clock.advance(std::chrono::seconds(1));
  }
  int taken = 0;
  while (budget.take_retry(clock.now())) ++taken;
  EXPECT_EQ(taken, 200);
  // Five seconds later half of the requests are forgotten, and the retries of the last second are not.
  clock.advance(std::chrono::seconds(5));
  EXPECT_FALSE(budget.take_retry(clock.now()));
  clock.advance(std::chrono::seconds(5));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take_retry(clock.now())) << i;
  EXPECT_FALSE(budget.take_retry(clock.now()));
}

TEST(RetryBudget, SurvivesALongSilence) {
  FakeClock clock;
  RetryBudget budget(50);
  for (int i = 0; i < 1000; ++i) budget.count_request(clock.now());
  clock.advance(std::chrono::hours(24 * 365));
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(budget.take_retry(clock.now()));
  EXPECT_FALSE(budget.take_retry(clock.now()));
}

TEST(RetryBudget, ShardsTogetherNeverTakeMore) {
  const FakeClock clock;
  RetryBudget budget(10);
  for (int i = 0; i < 10'000; ++i) budget.count_request(clock.now());
  std::atomic<int> taken{0};
  std::vector<std::thread> shards;
  for (int shard = 0; shard < 4; ++shard) {
    shards.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) taken += budget.take_retry(clock.now()) ? 1 : 0;
    });
  }
  for (std::thread& shard : shards) shard.join();
  EXPECT_EQ(taken, 1000);
}

}  // namespace
}  // namespace gatehouse::gateway
