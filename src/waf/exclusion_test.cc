#include "waf/exclusion.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "waf/names.h"
#include "waf/operator/regex.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

RuleSet rules_of(const std::string& text) {
  ParseResult parsed = parse_rules(std::vector<RuleSource>{{"test.conf", text}});
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  return std::move(parsed.rules);
}

Target target(std::string_view text) {
  const auto parsed = parse_target(text);
  EXPECT_TRUE(parsed) << text;
  return parsed ? *parsed : Target{};
}

TEST(Exclusion, TargetsAreReadAndWritten) {
  for (const char* text : {"ARGS", "ARGS:comment", "REQUEST_COOKIES:/^x_/", "REQUEST_HEADERS:referer", "REQUEST_BODY",
                           "XML:/*", "ARGS:a[b]", "ARGS:json.items.array_0.name"}) {
    EXPECT_EQ(to_string(target(text)), text);
  }
}

TEST(Exclusion, WhatIsNoTargetIsRefused) {
  struct Case {
    const char* text;
    const char* message;
  };
  for (const Case& c : {Case{"", "a variable is expected here"}, Case{"ARG", "unknown variable \"ARG\""},
                        Case{"REQUEST_URI:x", "REQUEST_URI is one value and takes no key"},
                        Case{"&ARGS", "a variable without ! and & is expected here"},
                        Case{"ARGS:/(/", "missing closing parenthesis, at byte 1 of the pattern"},
                        Case{"ARGS:", "ARGS: has no key"}, Case{"ARGS|FILES", "\"|FILES\" after the variable"}}) {
    const auto parsed = parse_target(c.text);
    ASSERT_FALSE(parsed) << c.text;
    EXPECT_EQ(parsed.error().message, c.message) << c.text;
  }
}

// Whether an argument of this name is one that the parameter means.
bool means(std::string_view parameter, std::string_view name) {
  const std::vector<Target> targets = targets_of_argument(parameter);
  return std::any_of(targets.begin(), targets.end(), [&](const Target& t) {
    if (t.variable != Variable::args) return false;
    return t.select == Target::Select::regex ? Regex::compile("(?i)" + t.key)->match(name) == Regex::Outcome::match
                                             : same_name(t.key, name);
  });
}

TEST(Exclusion, AParameterIsAnArgumentWhereverItStands) {
  struct Case {
    const char* parameter;
    const char* name;
    bool meant;
  };
  for (const Case& c : {
           Case{"comment", "comment", true},
           Case{"comment", "Comment", true},
           Case{"comment", "json.comment", true},
           Case{"comment", "json.user.comment", false},
           Case{"comment", "comments", false},
           Case{"user.comment", "json.user.comment", true},
           Case{"user.comment", "json.userxcomment", false},
           Case{"items[].comment", "json.items.array_0.comment", true},
           Case{"items[].comment", "json.items.array_12.comment", true},
           Case{"items[].comment", "json.items.array_.comment", false},
           Case{"items[].comment", "json.items.array_1.comment.x", false},
           Case{"items[].comment", "xjson.items.array_1.comment", false},
           Case{"items[].comment", "x\njson.items.array_1.comment\ny", false},
           Case{"items[].comment", "items[].comment", true},
           Case{"ids[]", "ids[]", true},
           Case{"ids[]", "json.ids.array_3", true},
           Case{"[].a", "json.array_3.a", true},
           Case{"[][]", "json.array_3.array_0", true},
           Case{"a(b[].c", "json.a(b.array_1.c", true},
           Case{"json.comment", "json.comment", true},
       }) {
    EXPECT_EQ(means(c.parameter, c.name), c.meant) << c.parameter << " " << c.name;
  }
}

TEST(Exclusion, AnArgumentsNameLeadsBackToItsParameter) {
  for (const char* name : {"comment", "json.comment", "json.user.comment", "json.items.array_3.comment", "json.array_3",
                           "json.array_1.array_2.x", "json.array_x.b", "array_1"}) {
    EXPECT_TRUE(means(argument_of(name), name)) << name << " " << argument_of(name);
  }
  EXPECT_EQ(argument_of("json.items.array_3.comment"), "items[].comment");
  EXPECT_EQ(argument_of("json.array_3.a"), "[].a");
  EXPECT_EQ(argument_of("comment"), "comment");
}

TEST(Exclusion, RulesAreMeantByIdRangeAndTag) {
  const RuleSet rules = rules_of(R"(
SecRule ARGS "@rx a" "id:10,phase:2,pass,tag:'attack-sqli',chain"
  SecRule ARGS "@rx b" "t:none"
SecRule ARGS "@rx c" "id:11,phase:2,pass,tag:'attack-sqli/x'"
SecRule ARGS "@rx d" "id:20,phase:2,pass,tag:'other',tag:'attack-sqli'")");
  EXPECT_THAT(rules_meant(rules, {.ids = {{10, 10}}}), ElementsAre(0));
  EXPECT_THAT(rules_meant(rules, {.ids = {{11, 19}, {20, 20}}}), ElementsAre(2, 3));
  EXPECT_THAT(rules_meant(rules, {.ids = {{12, 19}}}), IsEmpty());
  EXPECT_THAT(rules_meant(rules, {.tags = {"attack-sqli"}}), ElementsAre(0, 3));
  EXPECT_THAT(rules_meant(rules, {}), ElementsAre(0, 2, 3));
}

TEST(Exclusion, WhatARuleLooksAt) {
  const RuleSet rules = rules_of(R"(
SecRule ARGS|!ARGS:safe|REQUEST_HEADERS:Referer|REQUEST_COOKIES:/^pre_/|&FILES "@rx a" "id:1,phase:2,pass,chain"
  SecRule REQUEST_BODY "@rx b" "t:none"
SecRule RESPONSE_BODY "@rx a" "id:2,phase:4,pass")");
  for (const char* text : {"ARGS", "ARGS:q", "ARGS:/x/", "REQUEST_HEADERS:referer", "REQUEST_HEADERS:/^ref/",
                           "REQUEST_COOKIES:pre_x", "REQUEST_COOKIES:/x/", "REQUEST_COOKIES", "REQUEST_BODY"}) {
    EXPECT_TRUE(looks_at(rules, 0, target(text))) << text;
  }
  for (const char* text : {"ARGS_NAMES", "REQUEST_HEADERS:host", "REQUEST_HEADERS:/^host/", "REQUEST_COOKIES:x_pre_",
                           "FILES", "RESPONSE_BODY"}) {
    EXPECT_FALSE(looks_at(rules, 0, target(text))) << text;
  }
}

}  // namespace
}  // namespace gatehouse::waf
