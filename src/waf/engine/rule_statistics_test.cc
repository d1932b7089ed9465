#include "waf/engine/rule_statistics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;

std::unique_ptr<const Program> compile(const std::string& rules) {
  ParseResult parsed = parse_rules(std::vector<RuleSource>{{"test.conf", rules}});
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  return std::move(Program::compile(std::move(parsed.rules)).program);
}

constexpr const char* kRules = R"(
SecAction "id:1,phase:1,pass,nolog"
SecRule ARGS "@rx bad" "id:2,phase:2,pass,msg:'bad in %{MATCHED_VAR_NAME}'"
SecRule ARGS "@rx bad" "id:3,phase:2,pass,chain,msg:'both'"
  SecRule ARGS "@rx worse" "t:lowercase"
SecRule REQUEST_METHOD "@streq POST" "id:4,phase:2,pass,msg:'post'"
)";

std::vector<std::uint64_t> column(const RuleStatistics::Report& report, std::uint64_t RuleStatistics::Figures::*of) {
  std::vector<std::uint64_t> values;
  for (const RuleStatistics::RuleFigures& rule : report.rules) values.push_back(rule.*of);
  return values;
}

class Statistics : public testing::Test {
 protected:
  void inspect(const Program& program, const MatchPlan* plan, const std::string& query, bool timed) {
    RuleStatistics::Counters counters = writer_.counters_for(program);
    Workspace workspace(program, plan);
    Transaction transaction(workspace, clock_);
    transaction.begin({.counters = &counters, .timed = timed});
    counters.resume();
    waf::inspect(transaction, *parse_raw_request("GET /?" + query + " HTTP/1.1\r\nHost: shop.example\r\n\r\n"),
                 nullptr);
  }

  FakeClock clock_;
  RuleStatistics statistics_{clock_, 1};
  RuleStatistics::Writer& writer_ = statistics_.add_writer();
};

TEST_F(Statistics, MatchesAreCountedAlwaysAndEvaluationsInTimedRequests) {
  const auto program = compile(kRules);
  const auto plan = MatchPlan::build(*program, {});
  ASSERT_TRUE(plan);
  inspect(*program, plan->get(), "a=bad", false);
  inspect(*program, plan->get(), "a=bad&b=bad", false);
  RuleStatistics::Report report = statistics_.report();
  EXPECT_THAT(column(report, &RuleStatistics::Figures::hits), ElementsAre(2, 2, 0, 0))
      << "a rule that matches two values counts once, a chain as a whole";
  EXPECT_THAT(column(report, &RuleStatistics::Figures::evaluations), ElementsAre(0, 0, 0, 0));
  EXPECT_EQ(report.parts[std::size_t(CostPart::scanning)].evaluations, 0u);

  inspect(*program, plan->get(), "a=bad+and+WORSE", true);
  inspect(*program, plan->get(), "a=good", true);
  report = statistics_.report();
  EXPECT_THAT(column(report, &RuleStatistics::Figures::hits), ElementsAre(4, 3, 1, 0));
  EXPECT_THAT(column(report, &RuleStatistics::Figures::evaluations), ElementsAre(2, 1, 1, 2))
      << "a rule that the scan rules out is not evaluated";
  EXPECT_EQ(report.parts[std::size_t(CostPart::scanning)].evaluations, 2u);
  EXPECT_GT(report.parts[std::size_t(CostPart::scanning)].spent.count(), 0);
  EXPECT_GT(report.rules[0].spent.count(), 0);
  EXPECT_GE(report.rules[0].spent, report.rules[0].worst);
  EXPECT_EQ(report.rules[1].message, "bad in %{MATCHED_VAR_NAME}");
}

TEST_F(Statistics, WithoutAPlanEveryRuleIsEvaluated) {
  const auto program = compile(kRules);
  // One during which the processor was taken away says nothing of its rule, and is not counted.
  constexpr std::uint64_t kTimes = 10;
  for (std::uint64_t i = 0; i < kTimes; ++i) inspect(*program, nullptr, "a=good", true);
  const auto evaluations = column(statistics_.report(), &RuleStatistics::Figures::evaluations);
  EXPECT_THAT(evaluations, testing::SizeIs(4));
  EXPECT_THAT(evaluations, testing::Each(testing::AllOf(testing::Gt(0u), testing::Le(kTimes))));
}

TEST_F(Statistics, OtherRulesCountOnByTheirIds) {
  const WallTime began = clock_.wall();
  inspect(*compile(kRules), nullptr, "a=bad", false);
  clock_.advance(std::chrono::seconds(5));
  inspect(*compile(R"(SecRule ARGS "@rx bad" "id:2,phase:1,pass,msg:'another'"
                      SecRule ARGS "@rx bad" "id:9,phase:1,pass")"),
          nullptr, "a=bad", false);
  const RuleStatistics::Report report = statistics_.report();
  EXPECT_THAT(column(report, &RuleStatistics::Figures::hits), ElementsAre(1, 2, 0, 0, 1));
  EXPECT_EQ(report.rules[1].message, "another");
  EXPECT_EQ(report.rules[1].since, began);
  EXPECT_EQ(report.rules[4].id, 9u);
  EXPECT_EQ(report.rules[4].since, began + std::chrono::seconds(5));
  EXPECT_EQ(report.since, began);
}

TEST_F(Statistics, IdsBeyondTheBoundAreCountedTogether) {
  RuleStatistics bounded(clock_, 1, 2);
  const auto program = compile(kRules);
  RuleStatistics::Counters counters = bounded.add_writer().counters_for(*program);
  for (std::size_t phase = 1; phase <= 2; ++phase) {
    for (const std::uint32_t head : program->phase(phase)) counters.hit(head);
  }
  const RuleStatistics::Report report = bounded.report();
  EXPECT_THAT(column(report, &RuleStatistics::Figures::hits), ElementsAre(2, 1, 1));
  EXPECT_EQ(report.rules[0].id, 0u);
}

TEST_F(Statistics, TheSampleIsOneInSixtyFourAndMoreOfTheFirst) {
  constexpr int kRequests = 640'000;
  int timed = 0, of_first = 0, even = 0;
  for (int i = 0; i < kRequests; ++i) {
    if (!writer_.begin_request()) continue;
    ++timed;
    of_first += i < 100;
    even += i % 2;
  }
  EXPECT_NEAR(timed, kRequests / 64, 600);
  EXPECT_GT(of_first, 5);
  EXPECT_NEAR(even, timed / 2, timed / 20) << "clients that send in turn are all met";
  EXPECT_EQ(statistics_.report().requests, std::uint64_t(kRequests));
  EXPECT_EQ(statistics_.report().timed, std::uint64_t(timed));
}

TEST_F(Statistics, AnInterruptedEvaluationSaysNothing) {
  const auto program = compile(kRules);
  RuleStatistics::Counters counters = writer_.counters_for(*program);
  const std::uint32_t head = program->phase(1).front();
  constexpr std::uint64_t kLong = 10'000'000;
  counters.resume();
  std::this_thread::sleep_for(std::chrono::microseconds(1));  // gives the processor away
  counters.evaluated(head, kLong);
  EXPECT_EQ(statistics_.report().interrupted, 1u);
  EXPECT_EQ(statistics_.report().rules[0].evaluations, 0u);
  counters.pause(kLong + 5);
  EXPECT_EQ(statistics_.report().parts[std::size_t(CostPart::rest)].spent.count(), std::int64_t(CycleClock::to_ns(5)))
      << "it is nobody else's either";
  // Uninterrupted ones stay, however long; the machine may interrupt one of these too.
  for (int i = 0; i < 100; ++i) counters.evaluated(head, kLong);
  const RuleStatistics::Report report = statistics_.report();
  EXPECT_GT(report.rules[0].evaluations, 50u);
  EXPECT_EQ(report.rules[0].evaluations + report.interrupted, 101u);
  EXPECT_EQ(report.rules[0].worst.count(), std::int64_t(CycleClock::to_ns(kLong)));
}

// Shards count and meet new rules while others read: nothing is lost. For the thread sanitizer as well.
TEST_F(Statistics, ReadersAndNewRulesDisturbNobody) {
  constexpr int kTurns = 20'000;
  const auto first = compile(kRules);
  const auto second = compile(R"(SecAction "id:1,phase:1,pass"
                                 SecAction "id:5,phase:1,pass")");
  const auto count = [&](RuleStatistics::Writer& writer) {
    for (int i = 0; i < kTurns;) {
      const Program& program = i / 100 % 2 == 0 ? *first : *second;
      RuleStatistics::Counters counters = writer.counters_for(program);
      const std::uint32_t head = program.phase(1).front();
      for (int n = 0; n < 100 && i < kTurns; ++n, ++i) {
        const bool timed = writer.begin_request();
        counters.hit(head);
        if (timed) counters.evaluated(head, 1);
      }
    }
  };
  RuleStatistics::Writer& other = statistics_.add_writer();
  std::thread one(count, std::ref(writer_)), two(count, std::ref(other));
  std::uint64_t last = 0;
  while (last < 2 * kTurns) {
    const RuleStatistics::Report report = statistics_.report();
    const std::uint64_t now = report.rules.empty() ? 0 : report.rules[0].hits;
    EXPECT_GE(now, last) << "counts never fall";
    last = now;
  }
  one.join();
  two.join();
  EXPECT_EQ(statistics_.report().rules[0].hits, 2u * kTurns);
  EXPECT_EQ(statistics_.report().requests, 2u * kTurns);
}

}  // namespace
}  // namespace gatehouse::waf
