// libmodsecurity 3 reads the same rules: what both accept and refuse, and where we differ on purpose.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <modsecurity/rule_marker.h>
#include <modsecurity/rules_set.h>

#include <algorithm>
#include <map>

#include "waf/rules_for_tests.h"
#include "waf/seclang/describe_for_tests.h"
#include "waf/seclang/files.h"
#include "waf/seclang/words.h"

// The library's parser leaks what it has read of rules that it refuses; LeakSanitizer asks every program for this name.
extern "C" const char* __lsan_default_suppressions() { return "leak:yy::seclang_parser::parse\n"; }

namespace gatehouse::waf {
namespace {

struct Case {
  std::string_view text;
  std::string_view reason = {};  // why we differ
};

bool theirs(std::string_view text) {
  modsecurity::RulesSet rules;
  return rules.load((std::string(text) + "\n").c_str()) >= 0;
}

void expect_verdicts(std::span<const Case> cases, bool ours_accepts, bool theirs_accepts) {
  for (const Case& c : cases) {
    const ParseResult result = parse_text(c.text);
    EXPECT_EQ(result.errors.empty(), ours_accepts) << c.text << "\n" << describe(result);
    EXPECT_EQ(theirs(c.text), theirs_accepts) << c.text;
    EXPECT_EQ(c.reason.empty(), ours_accepts == theirs_accepts) << c.text;
  }
}

TEST(SecondOpinion, BothAccept) {
  const Case cases[] = {
      {"SecRule ARGS \"a\" \"id:1\""},
      {"SecRule ARGS \"!a\" \"id:1\""},
      {"SecRule ARGS \"!@pm a b\" \"id:1\""},
      {"secrule args \"@RX a\" \"ID:1,PHASE:2,T:NONE,T:LOWERCASE\""},
      {"SecRule ARGS:a|ARGS:b|!ARGS:c \"@rx a\" \"id:1\""},
      {"SecRule ARGS,ARGS_NAMES \"@rx a\" \"id:1\""},
      {"SecRule &ARGS \"@eq 0\" \"id:1\""},
      {"SecRule ARGS:/^a/ \"@rx a\" \"id:1\""},
      {"SecRule TX:'/a/' \"@rx a\" \"id:1\""},
      {"SecRule \"ARGS:'/^a|b/'\" \"@rx a\" \"id:1\""},
      {"SecRule XML:/* \"a\" \"id:1\""},
      {"SecRule ARGS \"a\" \"id:'5'\""},
      {"SecRule ARGS \"a\" \"id:1 , pass\""},
      {"SecRule ARGS \"a\" \\\n   \"id:1,\\\n   pass\""},
      {"SecRule ARGS \"@rx a\\\"b\" \"id:1\""},
      {"SecRule ARGS \"@rx a\" \"id:1,phase:request\""},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"t:none\""},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\""},
      {"SecRule ARGS \"@rx a\" \"id:1,skipAfter:END\"\nSecMarker END"},
      {"SecRule ARGS \"@rx a\" \"id:1,skip:2\""},
      {"SecMarker 'END'"},
      {"SecRule ARGS \"@rx a\" \"id:1,severity:CRITICAL\""},
      {"SecRule ARGS \"@rx a\" \"id:1,severity:'2'\""},
      {"SecRule ARGS \"@rx a\" \"id:1,status:44\""},
      {"SecRule ARGS \"a\" \"id:1,msg:'it\\'s'\""},
      {"SecRule ARGS \"a\" \"id:1,capture,multiMatch,nolog,auditlog,ver:'1',accuracy:'8',logdata:'%{TX.0}',tag:'a'\""},
      {"SecRule ARGS \"a\" \"id:1,allow:phase\""},
      {"SecRule ARGS \"a\" \"id:1,redirect:http://x/%{unique_id}\""},
      {"SecAction \"id:1,setvar:tx.a\""},
      {"SecAction \"id:1,setvar:!tx.a\""},
      {"SecAction \"id:1,setvar:'tx.a=+%{tx.b}'\""},
      {"SecAction \"id:1,setvar:tx.a=-1\""},
      {"SecAction \"id:1,setvar:'tx.%{rule.id}-x=1'\""},
      {"SecAction \"id:1,setvar:ip.a=1,expirevar:ip.a=60,initcol:ip=%{REMOTE_ADDR}\""},
      {"SecAction \"id:1,initcol:global=global,setenv:a=b\""},
      {"SecAction \"id:1,ctl:ruleEngine=Off\""},
      {"SecAction \"id:1,ctl:requestBodyProcessor=JSON\""},
      {"SecAction \"id:1,ctl:ruleRemoveById=1-3\""},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1;ARGS:a[b][]\""},
      {"SecAction \"id:1,ctl:ruleRemoveTargetByTag=x;ARGS\""},
      {"SecAction \"id:1,ctl:forceRequestBodyVariable=On,ctl:auditLogParts=+E\""},
      {"SecDefaultAction \"phase:2,log,deny,t:lowercase\""},
      {"SecRuleRemoveById 1 2 3-4"},
      {"SecRuleRemoveByTag \"x\""},
      {"SecRuleRemoveByMsg \"x\""},
      {"SecRuleUpdateTargetById 1 \"!ARGS:a,!ARGS:b\""},
      {"SecRuleUpdateTargetById 1-2 \"!ARGS:a\""},
      {"SecRuleUpdateTargetByTag \"x\" \"!ARGS:a\""},
      {"SecRuleUpdateActionById 1 \"deny\""},
      {"SecRule ARGS \"@ipMatch 10.0.0.1/8,::1\" \"id:1\""},
      {"SecRule ARGS \"@validateByteRange 1-255\" \"id:1\""},
      {"SecRule ARGS \"@unconditionalMatch\" \"id:1\""},
      {"SecRule ARGS \"@streq %{tx.a}\" \"id:1\""},
      {"SecRequestBodyLimit 13107200\nSecRequestBodyLimitAction Reject\nSecResponseBodyMimeType text/plain text/html"},
      {"SecAuditLogParts ABIJDEFHZ\nSecArgumentSeparator &\nSecCookieFormat 0\nSecCollectionTimeout 600"},
  };
  expect_verdicts(cases, true, true);
}

TEST(SecondOpinion, BothRefuse) {
  const Case cases[] = {
      {"SecFoo On"},
      {"SecRuleEngine Maybe"},
      {"SecRequestBodyLimit x"},
      {"SecRule FOO \"@rx a\" \"id:1\""},
      {"SecRule ARGS| \"a\" \"id:1\""},
      {"SecRule ARGS: \"a\" \"id:1\""},
      {"SecRule REQUEST_METHOD:x \"a\" \"id:1\""},
      {"SecRule ARGS \"a"},
      {"SecRule ARGS \"@rx a\""},
      {"SecRule ARGS \"@rx a\" \"phase:2\""},
      {"SecRule ARGS \"@rx a\" \"id:1\"\nSecRule ARGS \"@rx a\" \"id:1\""},
      {"SecRule ARGS \"a\" \"id:x\""},
      {"SecRule ARGS \"a\" \"id:1,pass,\""},
      {"SecRule ARGS \"a\" \"id:1,,pass\""},
      {"SecRule ARGS \"a\" \"id:1,deny:1\""},
      {"SecRule ARGS \"a\" \"id:1,allow:foo\""},
      {"SecRule ARGS \"a\" \"id:1,skip:x\""},
      {"SecRule ARGS \"@rx a\" \"id:1,foo\""},
      {"SecRule ARGS \"@rx a\" \"id:1,t:foo\""},
      {"SecRule ARGS \"@rx a\" \"id:1,phase:9\""},
      {"SecRule ARGS \"@rx a\" \"id:1,severity:FOO\""},
      {"SecRule ARGS \"@rx a\" \"id:1,status:abc\""},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"deny\""},
      {"SecAction \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"t:none\""},
      {"SecAction \"id:1,setvar:foo.a=1\""},
      {"SecAction \"id:1,ctl:foo=On\""},
      {"SecAction \"id:1,ctl:ruleEngine=Maybe\""},
      {"SecAction \"id:1,ctl:ruleRemoveById=abc\""},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1\""},
      {"SecDefaultAction \"phase:2,log\""},
      {"SecDefaultAction \"phase:2,pass\"\nSecDefaultAction \"phase:2,deny\""},
      {"SecDefaultAction \"phase:2,pass,t:none\""},
      {"SecRuleRemoveById abc"},
      {"SecRuleUpdateTargetById 1 \"!FOO:a\""},
      {"SecRule ARGS \"@eq\" \"id:1\""},
      {"SecRule ARGS \"@ipMatch foo\" \"id:1\""},
      {"SecRule ARGS \"@ipMatch 10.0.0.0/99\" \"id:1\""},
      {"SecRule ARGS \"@pmFromFile /nonexistent/a.data\" \"id:1\""},
      {"SecRule ARGS \"@streq %{foo.a}\" \"id:1\""},
      {"Include /nonexistent/x.conf"},
      {"<IfModule x>"},
  };
  expect_verdicts(cases, false, false);
}

TEST(SecondOpinion, WeAreStricter) {
  const Case cases[] = {
      {"SecAction \"id:1\"\nSecAction \"id:1\"", "they look at the ids of SecRule only"},
      {"SecAction \"phase:1,pass\"", "they look at the ids of SecRule only"},
      {"SecRule ARGS \"@foo a\" \"id:1\"", "to them it is a pattern; it is a misspelt operator"},
      {"SecRule ARGS \"@rx a\" \"id:1,phase:0\"", "there is no such phase"},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"", "the chain would take the next file's first rule"},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"phase:2\"", "they drop the phase"},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"id:2\"", "nothing can name it"},
      {"SecRule ARGS \"@rx a\" \"id:1,chain\"\nSecRule ARGS \"@rx a\" \"block\"", "disruptive, like deny"},
      {"SecRule ARGS \"a\" \"id:1,chain\"\nSecMarker X\nSecRule ARGS \"a\" \"t:none\"", "a marker within a rule"},
      {"SecRule ARGS \"@rx a\" \"id:1,skipAfter:NOWHERE\"", "it would skip everything that follows"},
      {"SecRule ARGS \"@rx a\" \"id:1,severity:9\"", "there are eight"},
      {"SecRule ARGS \"@rx a\" \"id:1,maturity:12\"", "it is 0 to 9"},
      {"SecAction \"id:1,setvar:session.a=1\"", "not supported"},
      {"SecRule REMOTE_PORT \"a\" \"id:1\"", "not supported"},
      {"SecRule XML:/a/b \"a\" \"id:1\"", "not supported"},
      {"SecRule XML \"a\" \"id:1\"", "it means nothing"},
      {"SecRule !ARGS:a \"a\" \"id:1\"", "it can never match"},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1;FOO:a\"", "they never look at the variable's name"},
      {"SecDefaultAction \"log,pass\"", "the manual asks for a phase"},
      {"SecDefaultAction \"phase:2,pass,tag:x\"", "the manual allows no metadata"},
      {"SecRule ARGS \"@detectSQLi x\" \"id:1\"", "to them it is a pattern"},
      {"SecRule ARGS \"@validateByteRange 1-256\" \"id:1\"", "it is not a byte; they drop the error"},
      {"SecRule ARGS \"@validateByteRange a\" \"id:1\"", "it is not a byte; they drop the error"},
      {"SecRule ARGS \"a\"\n   \"id:1\"", "the line is not continued; Apache refuses it too"},
  };
  expect_verdicts(cases, false, true);
}

TEST(SecondOpinion, WeAcceptMore) {
  const Case cases[] = {
      {"SecRule ARGS a id:1", "they find no id in actions without quotes"},
      {"SecRule ARGS \"a\" id:1,pass", "they read one action without quotes"},
      {"SecRule ARGS:/a|b/ \"@rx a\" \"id:1\"", "the slashes say where the key ends"},
      {"SecRule ARGS \"@rx a%{2}\" \"id:1\"", "no macro: a repetition of %"},
      {"SecAction \"id:1,setvar:'tx.a=1,b'\"", "the quotes say where the value ends"},
      {"SecAction \"id:1,ctl:requestBodyProcessor=MULTIPART\"", "in ModSecurity 2 and the manual"},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1;ARGS:/^a/\"",
       "the manual has it; their scanner stops at the slash"},
      {"SecRuleRemoveById \"1 2\"", "in ModSecurity 2 and the manual"},
      {"IncludeOptional /nonexistent/x", "Apache's; rule sets use it"},
      {"SecUnicodeMapFile /nonexistent/unicode.mapping 20127", "no effect here, so the file need not be there"},
  };
  expect_verdicts(cases, true, false);
}

// Both leave out the rest of a comment's line and no more.
TEST(SecondOpinion, CommentsAreNotContinued) {
  const std::string_view text = "# a \\\nSecRule ARGS \"a\" \"id:1\"\nSecRule ARGS \"a\" \"id:1\"";
  EXPECT_FALSE(theirs(text));
  EXPECT_EQ(describe(parse_text(text)), "test.conf:3:19: the id 1 is taken; the other rule is at test.conf:2\n");
}

// The manual and ModSecurity 2 say 2; libmodsecurity's default is 1, before the body is there. Every rule of the Core
// Rule Set names its phase.
TEST(SecondOpinion, DefaultPhase) {
  modsecurity::RulesSet rules;
  ASSERT_GE(rules.load("SecRule ARGS \"a\" \"id:1\"\n"), 0);
  EXPECT_EQ(rules.m_rulesSetPhases[2]->size(), 1u) << "their phase 1 has the number 2";
  EXPECT_EQ(parse_text("SecRule ARGS \"a\" \"id:1\"\n").rules.rules.at(0).actions.phase, 2);
}

constexpr unsigned kPhases = 5;

// What of a phase's rules can be compared, one line each, in order.
using Phases = std::map<unsigned, std::vector<std::string>>;

std::string line(std::uint64_t id, bool is_action, std::string_view version, bool has_msg, bool has_logdata,
                 int severity) {
  return fmt::format("{}{} {}{}{} severity {}", is_action ? "action " : "", id, version, has_msg ? " msg" : "",
                     has_logdata ? " logdata" : "", severity);
}

std::string part(std::string_view op, bool capture, bool multi_match) {
  return fmt::format(" @{}{}{}", op, capture ? " capture" : "", multi_match ? " multiMatch" : "");
}

std::string_view operator_name(OperatorKind kind) {
  using K = OperatorKind;
  static const std::map<K, std::string_view> names{
      {K::begins_with, "beginswith"},
      {K::contains, "contains"},
      {K::detect_sqli, "detectsqli"},
      {K::detect_xss, "detectxss"},
      {K::ends_with, "endswith"},
      {K::eq, "eq"},
      {K::ge, "ge"},
      {K::geo_lookup, "geolookup"},
      {K::gt, "gt"},
      {K::ip_match, "ipmatch"},
      {K::lt, "lt"},
      {K::pm, "pm"},
      {K::pm_from_file, "pmfromfile"},
      {K::rbl, "rbl"},
      {K::rx, "rx"},
      {K::str_eq, "streq"},
      {K::unconditional, "unconditionalmatch"},
      {K::validate_byte_range, "validatebyterange"},
      {K::validate_url_encoding, "validateurlencoding"},
      {K::validate_utf8_encoding, "validateutf8encoding"},
      {K::within, "within"},
  };
  const auto known = names.find(kind);
  return known == names.end() ? "?" : known->second;
}

Phases phases_of(const RuleSet& set) {
  Phases phases;
  std::vector<Marker> markers = set.markers;
  for (std::size_t i = 0; i <= set.rules.size(); ++i) {
    for (const Marker& marker : markers) {
      for (unsigned phase = 1; marker.before == i && phase <= kPhases; ++phase)
        phases[phase].push_back("marker " + marker.name);
    }
    if (i == set.rules.size()) break;
    const Rule& rule = set.rules[i];
    const Actions& a = rule.actions;
    auto& lines = phases[a.phase];
    if (!rule.chained) {
      const int severity = a.severity == Severity::unset ? -1 : static_cast<int>(a.severity);
      lines.push_back(line(a.id, rule.is_action, a.version, !a.msg.parts.empty(), !a.logdata.parts.empty(), severity));
    }
    if (!rule.is_action) lines.back() += part(operator_name(rule.op.kind), a.capture, a.multi_match);
  }
  return phases;
}

Phases phases_of(modsecurity::RulesSet& set) {
  Phases phases;
  for (unsigned phase = 1; phase <= kPhases; ++phase) {
    const modsecurity::Rules& rules = *set.m_rulesSetPhases[static_cast<int>(phase) + 1];
    for (const auto& rule : rules.m_rules) {
      if (auto* marker = dynamic_cast<modsecurity::RuleMarker*>(rule.get())) {
        phases[phase].push_back("marker " + *marker->getName());
        continue;
      }
      auto& head = dynamic_cast<modsecurity::RuleWithActions&>(*rule);
      const bool is_action = dynamic_cast<modsecurity::RuleWithOperator*>(&head) == nullptr;
      phases[phase].push_back(line(static_cast<std::uint64_t>(head.m_ruleId), is_action, head.m_ver, head.hasMsg(),
                                   head.hasLogData(), head.hasSeverity() ? head.severity() : -1));
      for (modsecurity::RuleWithActions* r = &head; r != nullptr; r = r->m_chainedRuleChild.get()) {
        if (auto* with = dynamic_cast<modsecurity::RuleWithOperator*>(r))
          phases[phase].back() += part(lower(with->getOperatorName()), r->hasCaptureAction(), r->hasMultimatch());
      }
    }
  }
  return phases;
}

// Every rule's id, phase and place among its phase's rules, its chain, operators and flags; and every marker.
void expect_same_rules(const std::vector<RuleSource>& sources) {
  if (sources.empty()) GTEST_SKIP() << "the rule set is not here";
  modsecurity::RulesSet their_rules;
  for (const RuleSource& source : sources) {
    for (const std::string& path : Files::expand(source.name))
      ASSERT_GE(their_rules.loadFromUri(path.c_str()), 0) << path << their_rules.getParserError();
  }
  Phases own = phases_of(parse_rules(sources).rules), others = phases_of(their_rules);
  for (unsigned phase = 1; phase <= kPhases; ++phase) {
    EXPECT_GT(own[phase].size(), 0u);
    EXPECT_THAT(own[phase], testing::ElementsAreArray(others[phase])) << "phase " << phase;
  }
}

TEST(SecondOpinion, CoreRuleSetMain) { expect_same_rules(crs_main()); }
TEST(SecondOpinion, CoreRuleSetDebian) { expect_same_rules(crs_debian()); }

}  // namespace
}  // namespace gatehouse::waf
