#include "app/commands/waf_suggest.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace gatehouse::app {
namespace {

using testing::HasSubstr;

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 11 / 28) + std::chrono::hours(17);

// `more` as JSON has it: `,"also":["ARGS:b"]`.
std::string hit(int rule, int score, const std::string& variable, const std::string& more = "") {
  return fmt::format(R"({{"rule":{},"score":{},"variable":"{}","message":"m{}"{}}})", rule, score, variable, rule,
                     more);
}
std::string record(const std::string& id, const std::string& path, int score, const std::string& hits,
                   const std::string& reason = "waf.score", const std::string& route = "comments") {
  return fmt::format(R"({{"request_id":"{}","route":"{}","path":"{}","client_ip":"192.0.2.1","reason":"{}",)"
                     R"("layers":[{{"layer":"waf","verdict":"deny","reason":"{}"}}],)"
                     R"("waf":{{"score":{},"threshold":5,"levels":[{},0,0,0],"rules":[{}],"omitted":0}}}})",
                     id, route, path, reason, reason, score, score, hits);
}
std::string suggest(const std::string& one, const std::vector<std::string>& others = {}) {
  const auto text = suggest_exclusion(one, others, kNow, false);
  return text ? *text : text.error().message;
}

TEST(WafSuggest, TheNarrowestExclusion) {
  const std::string one = record("a", "/articles/17/comments", 10,
                                 hit(942100, 5, "ARGS:comment") + "," + hit(942190, 5, "ARGS:json.items.array_2.text") +
                                     "," + hit(949110, 0, "TX:anomaly_score"));
  EXPECT_EQ(suggest(one), R"(# To let this request pass, on the route comments:
waf:
  exclude:
    - rule: 942100
      parameter: comment
      path: /articles/*/comments
      until: 2027-02-26
      because: "request a: m942100"
    - rule: 942190
      parameter: "items[].text"
      path: /articles/*/comments
      until: 2027-02-26
      because: "request a: m942190"
# Of 0 other refused requests that are still recorded it would have let pass 0.
)");
}

TEST(WafSuggest, NoMoreThanTheThresholdAsksFor) {
  // 8 in all: without the 5 it stays below 5.
  const std::string text = suggest(record("a", "/x", 8, hit(1, 3, "ARGS:a") + "," + hit(2, 5, "ARGS:b")));
  EXPECT_THAT(text, HasSubstr("rule: 2\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("rule: 1\n")));
}

TEST(WafSuggest, OnePlaceIsOneExclusion) {
  EXPECT_THAT(suggest(record("a", "/x", 10, hit(1, 5, "ARGS:a") + "," + hit(2, 5, "ARGS_NAMES:a"))),
              HasSubstr("rule: [1, 2]\n      parameter: a\n"));
}

TEST(WafSuggest, OtherPlaces) {
  EXPECT_THAT(suggest(record("a", "/x", 5, hit(1, 5, "REQUEST_HEADERS:referer"))),
              HasSubstr("target: REQUEST_HEADERS:referer"));
  EXPECT_THAT(suggest(record("a", "/x", 5, hit(1, 5, "REQUEST_URI"))), HasSubstr("target: REQUEST_URI"));
  EXPECT_THAT(suggest(record("a", "/x", 5, hit(1, 5, "TX:1"))), HasSubstr("Rule 1 is off on this path"));
  EXPECT_THAT(suggest(record("a", "/x", 0, hit(1, 0, "ARGS:a"), "waf.rule")), HasSubstr("- rule: 1\n"));
}

// An exclusion for one of two places would not have let the request pass.
TEST(WafSuggest, EveryPlaceOfARule) {
  const std::string one =
      record("a", "/x", 10, hit(1, 10, "ARGS:a", R"(,"also":["REQUEST_HEADERS:referer","ARGS:a"])"));
  const std::string text = suggest(one, {record("b", "/x", 5, hit(1, 5, "ARGS:a")),
                                         record("c", "/x", 9, hit(1, 9, "ARGS:a", R"(,"also":["ARGS:b"])"))});
  EXPECT_THAT(text, HasSubstr("    - rule: 1\n      parameter: a\n"));
  EXPECT_THAT(text, HasSubstr("    - rule: 1\n      target: REQUEST_HEADERS:referer\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("not enough")));
  EXPECT_THAT(text, HasSubstr("#   b ")) << "one of the places is there";
  EXPECT_THAT(text, testing::Not(HasSubstr("#   c "))) << "it matched in another place besides";
  EXPECT_THAT(suggest(record("a", "/x", 5, hit(1, 5, "ARGS:a", R"(,"also":["ARGS:b"],"elsewhere":2)"))),
              HasSubstr("Rule 1 matched in more places than the record keeps"));
  const std::string everywhere = suggest(record("a", "/x", 5, hit(1, 5, "ARGS:a", R"(,"also":["TX:1"])")));
  EXPECT_THAT(everywhere, HasSubstr("Rule 1 is off on this path"));
  EXPECT_THAT(everywhere, testing::Not(HasSubstr("parameter")));
}

TEST(WafSuggest, WhatElseItWouldHaveLetPass) {
  const std::string one = record("a", "/articles/1/comments", 5, hit(942100, 5, "ARGS:comment"));
  const std::vector<std::string> others{
      one,
      record("b", "/articles/2/comments", 5, hit(942100, 5, "ARGS:comment")),
      record("c", "/articles/2/comments", 5, hit(942100, 5, "ARGS:title")),
      record("d", "/articles/2/comments", 10, hit(942100, 5, "ARGS:comment") + "," + hit(941100, 5, "ARGS:comment")),
      record("e", "/articles/2", 5, hit(942100, 5, "ARGS:comment")),
      record("f", "/articles/2/comments", 5, hit(942100, 5, "ARGS:comment"), "waf.score", "another"),
      R"({"request_id":"g","reason":"rate.exceeded"})",
      "not JSON",
  };
  EXPECT_THAT(suggest(one, others), HasSubstr("# Of 5 other refused requests that are still recorded it would have let "
                                              "pass 1.\n#   b  192.0.2.1  \"/articles/2/comments\"\n"));
  const auto json = nlohmann::json::parse(*suggest_exclusion(one, others, kNow, true));
  EXPECT_EQ(json["exclude"][0]["rule"], 942100);
  EXPECT_EQ(json["others"]["looked_at"], 5);
  ASSERT_EQ(json["others"]["would_pass"].size(), 1u);
  EXPECT_EQ(json["others"]["would_pass"][0]["request_id"], "b");
}

TEST(WafSuggest, WhereNobodyCanTellWhoseScoreItIs) {
  const std::string one =
      record("a", "/x", 7, hit(1, 0, "ARGS:a") + "," + hit(2, 0, "ARGS:b") + "," + hit(3, 0, "TX:score"));
  const std::string text = suggest(one, {record("b", "/x", 5, hit(1, 0, "ARGS:a") + "," + hit(3, 0, "TX:score")),
                                         record("c", "/x", 5, hit(1, 0, "ARGS:c") + "," + hit(3, 0, "TX:score"))});
  EXPECT_THAT(text, HasSubstr("- rule: 1\n      parameter: a\n"));
  EXPECT_THAT(text, HasSubstr("- rule: 2\n      parameter: b\n"));
  EXPECT_THAT(text, testing::Not(HasSubstr("rule: 3")));
  EXPECT_THAT(text, HasSubstr("Of 2 other refused requests that are still recorded it would have let pass 1."));
}

TEST(WafSuggest, WhatTheRulesDidNotRefuse) {
  for (const std::string& other :
       {std::string("{}"), std::string("[]"), std::string("x"), std::string(R"({"waf":3,"reason":"waf.score"})"),
        record("a", "/x", 5, hit(1, 5, "ARGS:a"), "rate.exceeded")}) {
    EXPECT_THAT(suggest(other), HasSubstr("did not refuse this request")) << other;
  }
  // More of the score than the record shows.
  EXPECT_THAT(suggest(record("a", "/x", 50, hit(1, 5, "ARGS:a"))), HasSubstr("does not hold enough"));
}

}  // namespace
}  // namespace gatehouse::app
