#include "gateway/layers/rate/rate_layer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "gateway/layers/sample_request.h"

namespace gatehouse::gateway {
namespace {

using namespace std::chrono_literals;

RateLimitConfig limit(std::vector<RateKeyPart> key, std::uint64_t requests, Duration window, std::uint32_t burst,
                      const char* text = "") {
  RateLimitConfig config;
  config.key = std::move(key);
  config.requests = requests, config.window = window, config.burst = burst, config.text = text;
  return config;
}
const RateKeyPart kClient{KeyPart::client_ip, ""}, kRoute{KeyPart::route, ""}, kUser{KeyPart::user, ""};

class RateLayerTest : public testing::Test {
 protected:
  void start() {
    state_ = SharedState::create(config_, clock_).value();
    before_.emplace(config_, *state_, clock_, Phase::before_authentication);
    after_.emplace(config_, *state_, clock_, Phase::after_authentication);
  }
  Decision ask(std::string_view client = "203.0.113.9", std::string_view user = "") {
    SampleRequest sample(config_, clock_, client);
    const Decision first = before_->decide(sample.request);
    sample.request.principal.user = user;
    const Decision decision = first.verdict == Verdict::pass ? after_->decide(sample.request) : first;
    evidence_ = decision.evidence;
    finish(sample, decision.verdict == Verdict::pass ? 200 : decision.status);
    return {decision.verdict, decision.reason, {}, decision.status};
  }
  void finish(SampleRequest& sample, int status) {
    http::ResponseHead response;
    response.status = status;
    for (const RateLayer* layer : {&*before_, &*after_}) layer->on_response(sample.request, response);
    for (const RateLayer* layer : {&*before_, &*after_}) layer->on_end(sample.request, status);
    answer_.clear();
    for (const http::Field& field : response.fields) {
      answer_ += std::string(field.name) + ": " + std::string(field.value) + "\n";
    }
  }

  FakeClock clock_;
  Config config_ = sample_config();
  std::unique_ptr<SharedState> state_;
  std::optional<RateLayer> before_, after_;
  std::string evidence_, answer_;
};

TEST_F(RateLayerTest, RefusesPastTheBurstAndSaysWhy) {
  config_.rate_limit = {limit({kClient}, 100, 1s, 2, "100/s")};
  start();
  EXPECT_EQ(ask().verdict, Verdict::pass);
  EXPECT_EQ(answer_, "ratelimit-policy: \"client_ip\";q=2;w=1\nratelimit: \"client_ip\";r=1;t=1\n");
  EXPECT_EQ(ask().verdict, Verdict::pass);
  const Decision refused = ask();
  EXPECT_EQ(refused.verdict, Verdict::deny);
  EXPECT_EQ(refused.reason, "rate.exceeded");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(evidence_, "client_ip 203.0.113.9: 100/s burst 2 used up, retry in 10 ms");
  EXPECT_EQ(answer_, "retry-after: 1\nratelimit-policy: \"client_ip\";q=2;w=1\nratelimit: \"client_ip\";r=0;t=1\n");
  EXPECT_EQ(ask("203.0.113.10").verdict, Verdict::pass) << "another client";
  clock_.advance(10ms);
  EXPECT_EQ(ask().verdict, Verdict::pass);
}

TEST_F(RateLayerTest, WithoutBurstOneWindowsWorth) {
  config_.rate_limit = {limit({kClient}, 3, 1min, 0, "3/m")};
  start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask().verdict, Verdict::pass) << i;
  EXPECT_EQ(ask().verdict, Verdict::deny);
  EXPECT_EQ(evidence_, "client_ip 203.0.113.9: 3/m burst 3 used up, retry in 20.0 s");
  EXPECT_NE(answer_.find("retry-after: 20\n"), std::string::npos);
  EXPECT_NE(answer_.find("\"client_ip\";q=3;w=60"), std::string::npos);
}

TEST_F(RateLayerTest, OneIpv6CustomerIsOneClient) {
  config_.rate_limit = {limit({kClient}, 1, 1min, 1, "1/m")};
  start();
  EXPECT_EQ(ask("2001:db8:1:2::1").verdict, Verdict::pass);
  EXPECT_EQ(ask("2001:db8:1:2:ffff::9").verdict, Verdict::deny);
  EXPECT_EQ(evidence_, "client_ip 2001:db8:1:2::/64: 1/m burst 1 used up, retry in 1m0s");
  EXPECT_EQ(ask("2001:db8:1:3::1").verdict, Verdict::pass);
}

TEST_F(RateLayerTest, UserLimitsWaitForAuthentication) {
  config_.routes[0].rate_limit = {limit({kUser}, 1, 1min, 1, "1/m")};
  start();
  EXPECT_TRUE(before_->empty());
  EXPECT_FALSE(after_->empty());
  EXPECT_EQ(ask("192.0.2.1", "alice").verdict, Verdict::pass);
  EXPECT_EQ(ask("192.0.2.2", "alice").verdict, Verdict::deny) << "from anywhere";
  EXPECT_EQ(evidence_, "user alice: 1/m burst 1 used up, retry in 1m0s");
  EXPECT_EQ(ask("192.0.2.1", "bob").verdict, Verdict::pass);
  EXPECT_EQ(ask("192.0.2.3").verdict, Verdict::pass) << "nobody known: counts by address";
  EXPECT_EQ(ask("192.0.2.3").verdict, Verdict::deny);
  EXPECT_EQ(ask("192.0.2.4").verdict, Verdict::pass);
}

TEST_F(RateLayerTest, GlobalThenRouteAndTheTightestIsReported) {
  config_.rate_limit = {limit({kClient}, 100, 1s, 5, "100/s")};
  config_.routes[0].rate_limit = {limit({kClient, kRoute}, 10, 1s, 3, "10/s"), limit({kClient}, 10, 1s, 4, "10/s")};
  start();
  EXPECT_EQ(ask().verdict, Verdict::pass);
  EXPECT_EQ(answer_,
            "ratelimit-policy: \"client_ip\";q=5;w=1, \"client_ip+route\";q=3;w=1, \"client_ip-2\";q=4;w=1\n"
            "ratelimit: \"client_ip+route\";r=2;t=1\n");
  ask(), ask();
  EXPECT_EQ(ask().verdict, Verdict::deny);
  EXPECT_EQ(evidence_, "client_ip 203.0.113.9, route orders-read: 10/s burst 3 used up, retry in 100 ms");
}

TEST_F(RateLayerTest, HeaderKeysStayOutOfTheEvidence) {
  config_.rate_limit = {limit({{KeyPart::header, "x-tenant"}}, 1, 1min, 1, "1/m")};
  start();
  const auto ask_as = [&](std::string_view tenant) {
    SampleRequest sample(config_, clock_);
    sample.request.message.fields.add("x-tenant", tenant);
    const Decision decision = before_->decide(sample.request);
    EXPECT_EQ(decision.evidence.find(tenant), std::string_view::npos);
    return decision.verdict;
  };
  EXPECT_EQ(ask_as("acme-secret"), Verdict::pass);
  EXPECT_EQ(ask_as("acme-secret"), Verdict::deny);
  EXPECT_EQ(ask_as("other-secret"), Verdict::pass);
}

TEST_F(RateLayerTest, ConcurrencyIsGivenBackAtTheEnd) {
  RateLimitConfig two;
  two.key = {kClient};
  two.concurrent = 2;
  config_.routes[0].rate_limit = {two};
  start();
  SampleRequest first(config_, clock_), second(config_, clock_), third(config_, clock_);
  EXPECT_EQ(before_->decide(first.request).verdict, Verdict::pass);
  EXPECT_EQ(before_->decide(second.request).verdict, Verdict::pass);
  const Decision refused = before_->decide(third.request);
  EXPECT_EQ(refused.reason, "rate.concurrency");
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.evidence, "client_ip 203.0.113.9: 2 requests in flight already");
  finish(third, 429);
  EXPECT_EQ(answer_, "retry-after: 1\n");
  finish(first, 200);
  EXPECT_EQ(before_->decide(third.request).verdict, Verdict::pass);
  finish(third, 200), finish(second, 200);
  EXPECT_EQ(state_->in_flight().total(), 0u);
}

TEST_F(RateLayerTest, AReloadThatLeavesALimitAloneKeepsItsCount) {
  config_.rate_limit = {limit({kClient}, 1, 1min, 1, "1/m")};
  start();
  EXPECT_EQ(ask().verdict, Verdict::pass);
  Config reloaded = config_;
  reloaded.rate_limit.insert(reloaded.rate_limit.begin(), limit({kClient}, 1000, 1s, 1000, "1000/s"));
  const RateLayer layer(reloaded, *state_, clock_, Phase::before_authentication);
  SampleRequest sample(reloaded, clock_);
  EXPECT_EQ(layer.decide(sample.request).verdict, Verdict::deny);
}

struct ScheduleCase {
  const char* name;
  Schedule schedule;
  LocalMoment now;
  bool holds;
};
TEST(Schedule, Cases) {
  constexpr std::uint8_t kMonday = 1, kWeekdays = 0x1f;
  const auto at = [](int hour, int minute, int day) {
    return LocalMoment{static_cast<std::uint16_t>(hour * 60 + minute), static_cast<std::uint8_t>(day)};
  };
  const std::vector<ScheduleCase> cases{
      {"always", {}, at(3, 0, 6), true},
      {"inside", {8 * 60, 18 * 60, 0x7f}, at(8, 0, 2), true},
      {"before", {8 * 60, 18 * 60, 0x7f}, at(7, 59, 2), false},
      {"the end is out", {8 * 60, 18 * 60, 0x7f}, at(18, 0, 2), false},
      {"weekday", {0, 0, kWeekdays}, at(12, 0, 4), true},
      {"weekend", {0, 0, kWeekdays}, at(12, 0, 5), false},
      {"over midnight, evening", {22 * 60, 6 * 60, kMonday}, at(23, 0, 0), true},
      {"over midnight, the morning after", {22 * 60, 6 * 60, kMonday}, at(5, 59, 1), true},
      {"over midnight, the morning before", {22 * 60, 6 * 60, kMonday}, at(5, 59, 0), false},
      {"over midnight, by day", {22 * 60, 6 * 60, 0x7f}, at(12, 0, 0), false},
  };
  for (const ScheduleCase& c : cases) EXPECT_EQ(c.schedule.holds(c.now), c.holds) << c.name;
}

TEST(LocalTime, AgreesWithTheLibraryAndFollowsTheMinute) {
  LocalTime local;
  for (const std::int64_t seconds : {1'750'000'000, 1'750'000'059, 1'750'000'060, 1'767'225'599, 1'750'000'000}) {
    const std::time_t when = seconds;
    std::tm expected{};
    localtime_r(&when, &expected);
    const LocalMoment moment = local.at(WallTime(std::chrono::seconds(seconds)));
    EXPECT_EQ(moment.minute, expected.tm_hour * 60 + expected.tm_min);
    EXPECT_EQ(moment.day, (expected.tm_wday + 6) % 7);
  }
}

TEST_F(RateLayerTest, OutsideItsHoursALimitIsSilent) {
  RateLimitConfig night = limit({kClient}, 1, 1h, 1, "1/h");
  const LocalMoment now = LocalTime().at(clock_.wall());
  night.hours_from = static_cast<std::uint16_t>((now.minute + 60) % 1440);
  night.hours_to = static_cast<std::uint16_t>((now.minute + 120) % 1440);
  config_.rate_limit = {night};
  start();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask().verdict, Verdict::pass);
  EXPECT_EQ(answer_, "");
  clock_.advance(61min);
  EXPECT_EQ(ask().verdict, Verdict::pass);
  EXPECT_EQ(ask().verdict, Verdict::deny);
}

}  // namespace
}  // namespace gatehouse::gateway
