// The two rule sets that the engine is for, read without an error and counted. The numbers were counted by other means:
// grep for the directives, libmodsecurity for the phases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "waf/rules_for_tests.h"
#include "waf/seclang/describe_for_tests.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Counted {
  std::size_t rules = 0, actions = 0, chains = 0, longest = 0, skips = 0, phrases = 0;
  std::map<OperatorKind, std::size_t> operators;
  std::map<unsigned, std::size_t> heads;                  // by phase
  std::set<std::vector<Transformation>> transformations;  // distinct, of rules
};

Counted count(const RuleSet& set) {
  Counted counted;
  std::size_t length = 0;
  for (const Rule& rule : set.rules) {
    ++(rule.is_action ? counted.actions : counted.rules);
    length = rule.chained ? length + 1 : 1;
    if (length == 2) ++counted.chains;
    counted.longest = std::max(counted.longest, length);
    counted.skips += !rule.actions.skip_after.empty();
    if (!rule.chained) ++counted.heads[rule.actions.phase];
    if (rule.is_action) continue;
    ++counted.operators[rule.op.kind];
    if (rule.op.kind == OperatorKind::pm_from_file) counted.phrases += rule.op.phrases.size();
    counted.transformations.insert(rule.actions.transformations);
  }
  return counted;
}

const Rule* find(const RuleSet& set, std::uint64_t id) {
  for (const Rule& rule : set.rules) {
    if (rule.actions.id == id) return &rule;
  }
  return nullptr;
}

class CoreRuleSet : public testing::Test {
 protected:
  void read(const std::vector<RuleSource>& sources) {
    if (sources.empty()) GTEST_SKIP() << "the rule set is not here";
    result_ = parse_rules(sources);
    EXPECT_THAT(result_.errors, IsEmpty()) << describe(result_);
    // Nothing in the set reads or sets the collection GLOBAL that it initialises.
    ASSERT_EQ(result_.ignored.size(), 1u);
    EXPECT_EQ(result_.ignored[0].message, "the collection GLOBAL is not kept");
  }
  ParseResult result_;
};

class CoreRuleSetMain : public CoreRuleSet {
 protected:
  void SetUp() override { read(crs_main()); }
};

class CoreRuleSetDebian : public CoreRuleSet {
 protected:
  void SetUp() override { read(crs_debian()); }
};

TEST_F(CoreRuleSetMain, Counts) {
  const Counted c = count(result_.rules);
  EXPECT_EQ(c.rules, 695u);
  EXPECT_EQ(c.actions, 8u);
  EXPECT_EQ(result_.rules.markers.size(), 30u);
  EXPECT_EQ(c.chains, 55u);
  EXPECT_EQ(c.longest, 5u);
  EXPECT_EQ(c.skips, 206u);
  EXPECT_EQ(c.phrases, 7959u);
  EXPECT_EQ(c.transformations.size(), 42u);
  EXPECT_THAT(c.heads, ElementsAre(testing::Pair(1, 173), testing::Pair(2, 292), testing::Pair(3, 43),
                                   testing::Pair(4, 109), testing::Pair(5, 13)));
  using K = OperatorKind;
  const std::map<K, std::size_t> operators{{K::begins_with, 1},
                                           {K::contains, 4},
                                           {K::detect_sqli, 2},
                                           {K::detect_xss, 2},
                                           {K::ends_with, 6},
                                           {K::eq, 53},
                                           {K::ge, 42},
                                           {K::gt, 15},
                                           {K::ip_match, 2},
                                           {K::lt, 190},
                                           {K::pm, 12},
                                           {K::pm_from_file, 21},
                                           {K::rx, 318},
                                           {K::str_eq, 9},
                                           {K::unconditional, 1},
                                           {K::validate_byte_range, 6},
                                           {K::validate_url_encoding, 1},
                                           {K::validate_utf8_encoding, 1},
                                           {K::within, 9}};
  EXPECT_EQ(c.operators, operators);
}

TEST_F(CoreRuleSetMain, ItsExamplesAreRead) {
  const RuleSource examples{crs_main_folder()->string() + "/rules/*.example", {}};
  EXPECT_THAT(parse_rules({&examples, 1}).errors, IsEmpty());
}

TEST_F(CoreRuleSetMain, ReadsRulesAsWritten) {
  const RuleSet& set = result_.rules;
  const Rule* rule = find(set, 942550);
  ASSERT_NE(rule, nullptr);
  // Four of the 55 updates are about this rule.
  EXPECT_THAT(describe(rule->targets), testing::HasSubstr("|!REQUEST_COOKIES:/^_ga(?:_\\w+)?$/"));
  EXPECT_THAT(describe(rule->targets), testing::HasSubstr("|!REQUEST_COOKIES:__gads"));

  const Rule* score = find(set, 949110);
  ASSERT_NE(score, nullptr);
  EXPECT_EQ(describe(score->targets), "TX:blocking_inbound_anomaly_score");
  EXPECT_EQ(describe(score->op.argument), "<TX.inbound_anomaly_score_threshold>");
  EXPECT_EQ(score->actions.disruptive, Disruptive::deny);
  EXPECT_EQ(score->actions.phase, 2);

  const Rule* sqli = find(set, 942100);
  ASSERT_NE(sqli, nullptr);
  EXPECT_EQ(sqli->actions.disruptive, Disruptive::pass) << "block, by the set's default actions";
  EXPECT_EQ(sqli->actions.severity, Severity::critical);
  EXPECT_TRUE(sqli->actions.multi_match);
  EXPECT_THAT(sqli->actions.tags, testing::Contains("attack-sqli"));
  ASSERT_EQ(sqli->actions.setvars.size(), 2u);
  EXPECT_EQ(sqli->actions.setvars[0].kind, SetVar::Kind::add);
  EXPECT_EQ(describe(sqli->actions.setvars[0].value), "<TX.critical_anomaly_score>");
}

TEST_F(CoreRuleSetDebian, Counts) {
  const Counted c = count(result_.rules);
  EXPECT_EQ(c.rules, 790u);
  EXPECT_EQ(c.actions, 10u);
  EXPECT_EQ(result_.rules.markers.size(), 40u);
  EXPECT_EQ(c.chains, 115u);
  EXPECT_EQ(c.longest, 5u);
  EXPECT_EQ(c.operators.at(OperatorKind::rx), 265u);
  EXPECT_EQ(result_.rules.settings.collection_timeout_seconds, 600u);
  EXPECT_EQ(result_.rules.settings.component_signature, "OWASP_CRS/3.3.4");
}

TEST_F(CoreRuleSetDebian, LoadsAsThePackageSays) {
  const RuleSource load{"/usr/share/modsecurity-crs/owasp-crs.load", {}};
  const ParseResult loaded = parse_rules({&load, 1});
  EXPECT_THAT(loaded.errors, IsEmpty()) << describe(loaded);
  EXPECT_EQ(loaded.rules.rules.size(), result_.rules.rules.size());
}

TEST_F(CoreRuleSetDebian, ReadsRulesAsWritten) {
  // The one @rx with a macro: `^%{tx.allowed_request_content_type_charset}$`.
  const Rule* charset = find(result_.rules, 920480);
  ASSERT_NE(charset, nullptr);
  const Rule& check = *(charset + 1);
  EXPECT_TRUE(check.chained && check.op.negated);
  EXPECT_EQ(describe(check.op.argument), "^<TX.allowed_request_content_type_charset>$");
  ASSERT_EQ(check.actions.ctls.size(), 1u);
  EXPECT_EQ(check.actions.ctls[0].kind, Ctl::Kind::force_request_body_variable);
}

}  // namespace
}  // namespace gatehouse::waf
