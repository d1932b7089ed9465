// Tunings on the two generations of the Core Rule Set.

#include "waf/engine/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

using testing::Contains;
using testing::Not;

std::unique_ptr<const Program> compile(const std::vector<RuleSource>& sources) {
  ParseResult parsed = parse_rules(sources);
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  return std::move(Program::compile(std::move(parsed.rules)).program);
}

struct Seen {
  std::vector<std::uint64_t> fired;
  std::uint64_t stopped_by = 0;
  std::string tx_paranoia, tx_detection;
};

class TuneCrs : public testing::TestWithParam<const char*> {
 protected:
  static const Program* program(const std::string& which) {
    static const auto main = compile(crs_main()), debian = compile(crs_debian());
    return (which == "main" ? main : debian).get();
  }
  bool is_main() const { return std::string(GetParam()) == "main"; }
  void SetUp() override {
    if ((is_main() ? crs_main() : crs_debian()).empty()) GTEST_SKIP() << "the Core Rule Set is not here";
  }
  const Program& rules() const { return *program(GetParam()); }

  Seen run(const Tuning* tuning, const std::string& request) {
    Workspace workspace(rules(), nullptr);
    Transaction transaction(workspace, SystemClock::instance());
    Transaction::Settings settings;
    settings.tuning = tuning;
    transaction.begin(settings);
    inspect(transaction, *parse_raw_request(request), nullptr);
    Seen seen;
    for (const FiredRule& fired : transaction.fired()) {
      if (fired.logged) seen.fired.push_back(fired.id);  // not those that only jump
    }
    if (const Interruption* stopped = transaction.interruption()) seen.stopped_by = stopped->rule_id;
    seen.tx_paranoia = transaction.tx(is_main() ? "blocking_paranoia_level" : "paranoia_level");
    seen.tx_detection = transaction.tx(is_main() ? "detection_paranoia_level" : "executing_paranoia_level");
    return seen;
  }
  Tuning levels(const Levels& levels) const {
    Tuning tuning;
    preset(rules(), levels, tuning);
    return tuning;
  }
  Tuning excluding(const Exclusion& exclusion) const {
    Tuning tuning;
    exclude(rules(), exclusion, tuning);
    return tuning;
  }
};

std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: text/html\r\n\r\n";
}
const std::string kSqli = get("/?q=1%27%20OR%20%271%27=%271");
const std::string kPlain = get("/?q=1");
// Paranoia 3 and above counts how often a character is repeated; 2 looks for more of SQL.
const std::string kOdd = get("/?q=a%27b");

TEST_P(TuneCrs, WithoutATuningTheRuleSetsDefaultsHold) {
  const Seen seen = run(nullptr, kPlain);
  EXPECT_EQ(seen.tx_paranoia, "1");
  EXPECT_EQ(seen.stopped_by, 0u);
}

TEST_P(TuneCrs, ParanoiaIsWhatIsPreset) {
  for (const std::uint32_t level : {1u, 2u, 3u, 4u}) {
    const Tuning tuning = levels({.paranoia = level});
    const Seen seen = run(&tuning, kPlain);
    EXPECT_EQ(seen.tx_paranoia, std::to_string(level));
    EXPECT_EQ(seen.tx_detection, std::to_string(level));
  }
  // And rules of higher levels run: more of them fire for the same request.
  const Tuning one = levels({.paranoia = 1}), four = levels({.paranoia = 4});
  EXPECT_GT(run(&four, kOdd).fired.size(), run(&one, kOdd).fired.size());
}

TEST_P(TuneCrs, TheThresholdIsWhatIsPreset) {
  const Tuning standard = levels({.inbound_threshold = 5}), high = levels({.inbound_threshold = 1000});
  EXPECT_NE(run(&standard, kSqli).stopped_by, 0u);
  EXPECT_EQ(run(&high, kSqli).stopped_by, 0u);
  EXPECT_THAT(run(&high, kSqli).fired, Contains(942100));
}

TEST_P(TuneCrs, ARuleThatIsOffDoesNotFire) {
  const Tuning tuning = excluding({.ids = {{942100, 942100}}});
  ASSERT_THAT(run(nullptr, kSqli).fired, Contains(942100));
  EXPECT_THAT(run(&tuning, kSqli).fired, Not(Contains(942100)));
}

TEST_P(TuneCrs, AParameterIsNotLookedAtAndOthersAre) {
  Exclusion exclusion;
  exclusion.targets = targets_of_argument("q");
  const Tuning tuning = excluding(exclusion);
  EXPECT_NE(run(nullptr, kSqli).stopped_by, 0u);
  EXPECT_EQ(run(&tuning, kSqli).stopped_by, 0u);
  EXPECT_NE(run(&tuning, get("/?p=1%27%20OR%20%271%27=%271")).stopped_by, 0u);
}

TEST_P(TuneCrs, AParameterOfAJsonBody) {
  const auto post = [](const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: Mozilla/5.0\r\nAccept: */*\r\nContent-Type: "
           "application/json\r\nContent-Length: " +
           std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  Exclusion exclusion;
  exclusion.targets = targets_of_argument("items[].text");
  const Tuning tuning = excluding(exclusion);
  const std::string allowed = post(R"({"items":[{"text":"x"},{"text":"1' OR '1'='1"}]})");
  EXPECT_NE(run(nullptr, allowed).stopped_by, 0u);
  EXPECT_EQ(run(&tuning, allowed).stopped_by, 0u);
  EXPECT_NE(run(&tuning, post(R"({"items":[{"name":"1' OR '1'='1"}]})")).stopped_by, 0u);
}

TEST_P(TuneCrs, ATagIsAllItsRules) {
  const Tuning tuning = excluding({.tags = {"attack-sqli"}});
  for (const std::uint64_t id : run(&tuning, kSqli).fired) EXPECT_NE(id / 1000, 942u) << id;
}

INSTANTIATE_TEST_SUITE_P(Generations, TuneCrs, testing::Values("main", "debian"),
                         [](const auto& param) { return std::string(param.param); });

// --- small rule sets -------------------------------------------------------------------------------------------------

TEST(Tune, WhatNoRuleNamesIsNotPreset) {
  const auto program = compile({{"test.conf", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass\""}});
  Tuning tuning;
  preset(*program, {1, 2, 3}, tuning);
  EXPECT_TRUE(tuning.presets.empty());
}

TEST(Tune, ATargetThatNoRuleLooksAtCostsNothing) {
  const auto program = compile({{"test.conf", "SecRule ARGS \"@rx a\" \"id:1,phase:2,pass\""}});
  Tuning tuning;
  exclude(*program, {.targets = targets_of_argument("q")}, tuning);
  EXPECT_EQ(tuning.removed_targets.size(), 2u);  // ARGS:q and ARGS:json.q
  exclude(*program, {.targets = {*parse_target("FILES")}}, tuning);
  EXPECT_EQ(tuning.removed_targets.size(), 2u);
  EXPECT_TRUE(tuning.off.empty());
}

// What one transaction was told is forgotten by the next.
TEST(Tune, EachRequestHasItsOwn) {
  const auto program = compile({{"test.conf", R"(
SecRule ARGS:a "@rx x" "id:1,phase:2,pass"
SecRule ARGS:b "@rx x" "id:2,phase:2,pass"
SecRule TX:blocking_paranoia_level "@eq 4" "id:3,phase:2,pass")"}});
  Tuning first, second;
  exclude(*program, {.ids = {{1, 1}}}, first);
  preset(*program, {.paranoia = 4}, first);
  exclude(*program, {.targets = {*parse_target("ARGS:b")}}, second);
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  const auto fired = [&](const Tuning* one, std::vector<const Tuning*> more) {
    Transaction::Settings settings;
    settings.tuning = one;
    settings.more_tunings = more;
    transaction.begin(settings);
    inspect(transaction, *parse_raw_request("GET /?a=x&b=x HTTP/1.1\r\nHost: a\r\n\r\n"), nullptr);
    std::vector<std::uint64_t> ids;
    for (const FiredRule& rule : transaction.fired()) ids.push_back(rule.id);
    return ids;
  };
  using Ids = std::vector<std::uint64_t>;
  EXPECT_EQ(fired(nullptr, {}), (Ids{1, 2}));
  EXPECT_EQ(fired(&first, {}), (Ids{2, 3}));
  EXPECT_EQ(fired(nullptr, {&second}), (Ids{1}));
  EXPECT_EQ(fired(&first, {&second}), (Ids{3}));
  EXPECT_EQ(fired(nullptr, {}), (Ids{1, 2}));
}

}  // namespace
}  // namespace gatehouse::waf
