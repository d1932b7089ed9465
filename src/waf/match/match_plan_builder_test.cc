// What a plan is made of when the pattern compiler, or the machine, does not play along.

#include "waf/match/match_plan_builder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <stdexcept>

#include "waf/differential/engine_under_test.h"
#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

std::unique_ptr<const Program> compile(const std::string& rules) { return compile_rules({{"test.conf", rules}}); }

using Ids = std::vector<std::uint64_t>;

Ids fired_by(Workspace& workspace, const std::string& request) {
  Transaction transaction(workspace, SystemClock::instance());
  transaction.begin({});
  inspect(transaction, *parse_raw_request(request), nullptr);
  Ids ids;
  for (const FiredRule& rule : transaction.fired()) ids.push_back(rule.id);
  return ids;
}

Ids fired(const Program& program, const MatchPlan& plan, const std::string& query) {
  Workspace workspace(program, &plan);
  return fired_by(workspace, "GET /?q=" + query + " HTTP/1.1\r\nHost: shop.example\r\n\r\n");
}

// A cache that remembers a pattern as something that the compiler refuses.
TEST(MatchPlanBuilder, ARefusedPatternUngatesItsRuleAlone) {
  const std::string file = testing::TempDir() + "gatehouse-refused-" + std::to_string(getpid());
  MatchCache cache;
  cache.expressions["needle"] = {{"(", 0, false, {}}};
  cache.write(file);
  const auto program = compile(R"(
SecRule ARGS "@rx needle" "id:1,phase:2,pass"
SecRule ARGS "@rx hay" "id:2,phase:2,pass"
SecRule ARGS "@rx stack" "id:3,phase:2,pass")");
  for (int start = 0; start < 2; ++start) {  // the second one with the cache that the first wrote
    auto plan = MatchPlan::build(*program, {.threads = 2, .cache_file = file, .progress = {}});
    ASSERT_TRUE(plan) << plan.error().message;
    EXPECT_FALSE((*plan)->is_gated(0));
    EXPECT_TRUE((*plan)->is_gated(1));
    EXPECT_TRUE((*plan)->is_gated(2));
    EXPECT_EQ((*plan)->statistics().gated, 2u);
    EXPECT_EQ(fired(*program, **plan, "needle"), Ids{1});
    EXPECT_EQ(fired(*program, **plan, "hay"), Ids{2});
    EXPECT_EQ(fired(*program, **plan, "haystack"), (Ids{2, 3}));
    EXPECT_EQ(fired(*program, **plan, "neither"), Ids{});
  }
  std::remove(file.c_str());
}

TEST(MatchPlanBuilder, APhraseLongerThanTheCompilerTakes) {
  const std::string phrase(8000, 'x');
  const auto program = compile("SecRule ARGS \"@pm " + phrase + " short\" \"id:1,phase:2,pass\"");
  auto plan = MatchPlan::build(*program, {});
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_TRUE((*plan)->is_gated(0));
  EXPECT_EQ(fired(*program, **plan, phrase), Ids{1});
  EXPECT_EQ(fired(*program, **plan, phrase.substr(1)), Ids{});  // as its begin, which is what is looked for
  EXPECT_EQ(fired(*program, **plan, "a+short+one"), Ids{1});
}

TEST(MatchPlanBuilder, WhatIsThrownInAThreadIsAnErrorOfTheLoad) {
  std::string rules;
  for (int i = 1; i <= 20; ++i)
    rules += "SecRule ARGS \"@rx needle" + std::to_string(i) + "\" \"id:" + std::to_string(i) + ",phase:2,pass\"\n";
  const auto program = compile(rules);
  for (const std::size_t at : {1, 20, 21}) {  // while patterns are tried; while databases are compiled
    for (const unsigned threads : {1u, 4u}) {
      const auto plan = MatchPlan::build(
          *program, {.threads = threads, .cache_file = {}, .progress = [at](std::size_t done, std::size_t) {
                       if (done >= at) throw std::runtime_error("out of paper");
                     }});
      ASSERT_FALSE(plan) << at;
      EXPECT_EQ(plan.error().message, "compiling the rules' patterns: out of paper");
    }
  }
}

// What libinjection says of a header is remembered for those alone that some rule asks it about.
TEST(MatchPlanBuilder, LibinjectionSeesTheHeadersThatRulesName) {
  const auto program = compile(R"(
SecRule REQUEST_HEADERS:X-Note|REQUEST_HEADERS:Referer "@detectXSS" "id:1,phase:1,pass"
SecRule REQUEST_HEADERS:Referer "@detectSQLi" "id:2,phase:1,pass")");
  const auto every = compile(R"(
SecRule REQUEST_HEADERS:X-Note "@detectXSS" "id:1,phase:1,pass"
SecRule REQUEST_HEADERS:/^x-/ "@detectXSS" "id:2,phase:1,pass"
SecRule REQUEST_HEADERS|!REQUEST_HEADERS:Referer "@detectXSS" "id:3,phase:1,pass")");
  const auto request = [](const std::string& name, const std::string& value) {
    return "GET / HTTP/1.1\r\nHost: shop.example\r\n" + name + ": " + value + "\r\n\r\n";
  };
  const std::string xss = "<script>alert(1)</script>", sqli = "1' or '1'='1";
  for (const auto& [rules, names] : {std::pair(program.get(), false), std::pair(every.get(), true)}) {
    const auto plan = MatchPlan::build(*rules, {});
    ASSERT_TRUE(plan);
    Workspace workspace(*rules, plan->get());
    for (int turn = 0; turn < 2; ++turn) {  // remembered, too
      EXPECT_EQ(fired_by(workspace, request("X-Other", xss)), names ? (Ids{2, 3}) : Ids{});
      EXPECT_EQ(fired_by(workspace, request("x-note", xss)), names ? (Ids{1, 2, 3}) : Ids{1});
      EXPECT_EQ(fired_by(workspace, request("Accept", xss)), names ? Ids{3} : Ids{});
      EXPECT_EQ(fired_by(workspace, request("REFERER", xss)), names ? Ids{} : Ids{1});
      EXPECT_EQ(fired_by(workspace, request("X-Note", sqli)), Ids{});
      EXPECT_EQ(fired_by(workspace, request("Referer", sqli)), names ? Ids{} : Ids{2});
    }
  }
}

// A hit alone is enough only where nobody asks for what the pattern captures.
TEST(MatchPlanBuilder, AHitProvesAMatchUnlessCapturesAreRead) {
  const auto proven = [](const std::string& rules) {
    const auto program = compile(rules);
    const auto plan = MatchPlan::build(*program, {});
    EXPECT_TRUE(plan);
    return (*plan)->is_gated(0) && (*plan)->proves(0);
  };
  const std::string head = "SecRule ARGS \"@rx ^ev([a-z]+)$\" \"id:1,phase:2,pass,capture";
  EXPECT_TRUE(proven(head + "\""));
  EXPECT_TRUE(proven(head + ",setvar:tx.score=+5,logdata:'%{tx.1}'\""));
  // Another chain's own captures are no concern of this rule's.
  EXPECT_TRUE(proven(head + "\"\nSecRule ARGS \"@rx (b)\" \"id:2,phase:2,pass,capture,chain\"\n"
                            "SecRule TX:1 \"@streq b\""));
  EXPECT_FALSE(proven(head + ",chain\"\nSecRule TX:1 \"@streq il\""));
  EXPECT_FALSE(proven(head + ",setvar:tx.kept=%{tx.1}\""));
  EXPECT_FALSE(proven(head + ",initcol:ip=%{tx.1}\""));
  for (const char* reader : {"SecRule TX:1 \"@streq il\"", "SecRule TX:/^[0-9]$/ \"@streq il\"",
                             "SecRule TX \"@streq il\"", "SecRule ARGS:b \"@streq %{tx.1}\""}) {
    EXPECT_FALSE(proven(head + "\"\n" + reader + " \"id:2,phase:2,pass\"")) << reader;
  }
  EXPECT_FALSE(proven("SecRule ARGS \"@rx a(?=b)\" \"id:1,phase:2,pass\"")) << "a lookahead is approximated";
}

}  // namespace
}  // namespace gatehouse::waf
