#include "admin/waf_stats.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::admin {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;

WafRuleView rule(std::uint64_t id, bool logs, std::uint64_t hits, std::uint64_t evaluations,
                 std::chrono::nanoseconds spent) {
  WafRuleView view;
  view.rule = id;
  view.in_force = true;
  view.file = "rules.conf";
  view.logs = logs;
  view.hits = hits;
  view.evaluations = evaluations;
  view.spent = spent;
  return view;
}

WafStatsView sample() {
  WafStatsView view;
  view.since = WallTime(1'750'000'000s);
  view.requests = 1000, view.timed = 10, view.interrupted = 1, view.one_in = 64;
  view.parts = {{"reading", 1000ns, 200ns}, {"scanning", 3000ns, 700ns}, {"rest", 1000ns, 100ns}};
  view.rules = {rule(1, false, 1000, 10, 500ns), rule(2, true, 7, 4, 4000ns), rule(3, true, 7, 0, 0ns),
                rule(4, true, 9, 2, 500ns),      rule(5, true, 0, 10, 0ns),   rule(6, false, 0, 0, 0ns)};
  view.rules.push_back(rule(9, true, 8, 0, 0ns));
  view.rules.back().in_force = false;
  return view;
}

std::vector<int> rules_of(const WafStatsQuery& query) {
  std::vector<int> rules;
  const json answer = json::parse(to_json(sample(), query));
  for (const json& one : answer["rules"]) rules.push_back(one["rule"]);
  return rules;
}

TEST(WafStats, WhatIsListedAndInWhichOrder) {
  using By = WafStatsQuery::By;
  EXPECT_THAT(rules_of({}), ElementsAre(4, 9, 2, 3)) << "those that log, among equals by id";
  EXPECT_THAT(rules_of({.all = true}), ElementsAre(1, 4, 9, 2, 3));
  EXPECT_THAT(rules_of({.limit = 2}), ElementsAre(4, 9));
  EXPECT_THAT(rules_of({.by = By::cost}), ElementsAre(2, 1, 4, 5)) << "whoever costs, set-up included";
  EXPECT_THAT(rules_of({.never = true}), ElementsAre(5));
  EXPECT_THAT(rules_of({.never = true, .all = true}), ElementsAre(5, 6));
}

TEST(WafStats, Figures) {
  const json answer = json::parse(to_json(sample(), {.by = WafStatsQuery::By::cost, .limit = 1}));
  EXPECT_EQ(answer["since"], "2025-06-15T15:06:40.000000Z");
  EXPECT_EQ(answer["requests"], 1000);
  EXPECT_EQ(answer["timed"], 10);
  EXPECT_EQ(answer["interrupted"], 1);
  EXPECT_EQ(answer["one_in"], 64);
  EXPECT_EQ(answer["mean_ns"], 1000) << "of a timed request: 10,000 ns in 10";
  EXPECT_EQ(answer["in_force"], 6);
  EXPECT_EQ(answer["log"], 4);
  EXPECT_EQ(answer["never_matched"], 1);
  EXPECT_EQ(answer["parts"], json::parse(R"([{"part":"reading","mean_ns":100,"worst_ns":200,"share":0.1},
      {"part":"scanning","mean_ns":300,"worst_ns":700,"share":0.3},{"part":"rest","mean_ns":100,"worst_ns":100,"share":0.1},
      {"part":"rules","mean_ns":500,"share":0.5}])"));
  EXPECT_EQ(answer["rules"][0]["mean_ns"], 1000);
  EXPECT_EQ(answer["rules"][0]["share"], 0.4);
}

TEST(WafStats, NothingYet) {
  const json answer = json::parse(to_json(WafStatsView{}, {}));
  EXPECT_EQ(answer["mean_ns"], 0);
  EXPECT_EQ(answer["parts"][0]["share"], 0.0);
  EXPECT_THAT(answer["rules"], IsEmpty());
}

TEST(WafStats, Parameters) {
  for (const auto& [name, value, good] : {
           std::tuple{"by", "hits", true},
           {"by", "cost", true},
           {"by", "", false},
           {"by", "Hits", false},
           {"limit", "1", true},
           {"limit", "70000", true},
           {"limit", "0", false},
           {"limit", "-1", false},
           {"limit", "1x", false},
           {"limit", "", false},
           {"never", "true", true},
           {"never", "false", true},
           {"never", "1", false},
           {"all", "true", true},
           {"all", "", false},
           {"", "", false},
           {"limit", "99999999999999999999999", false},
           {"order", "hits", false},
       }) {
    WafStatsQuery query;
    EXPECT_EQ(read_parameter(name, value, query).has_value(), good) << name << "=" << value;
  }
}

}  // namespace
}  // namespace gatehouse::admin
