// What is accepted, and what it means.
#include "waf/seclang/parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "waf/seclang/describe_for_tests.h"

namespace gatehouse::waf {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

RuleSet parsed(std::string_view text) {
  ParseResult result = parse_text(text);
  EXPECT_THAT(result.errors, IsEmpty()) << text << "\n" << describe(result);
  return std::move(result.rules);
}

Rule only(std::string_view text) {
  const RuleSet set = parsed(text);
  EXPECT_EQ(set.rules.size(), 1u) << text;
  return set.rules.empty() ? Rule{} : set.rules.front();
}

std::vector<std::uint64_t> ids(const RuleSet& set) {
  std::vector<std::uint64_t> result;
  for (const Rule& rule : set.rules) result.push_back(rule.actions.id);
  return result;
}

TEST(Parser, Targets) {
  struct Case {
    std::string_view written, means;
  };
  const Case cases[] = {
      {"ARGS", "ARGS"},
      {"args", "ARGS"},
      {"ARGS|!ARGS:Comment|&REQUEST_HEADERS:Host", "ARGS|!ARGS:comment|&REQUEST_HEADERS:host"},
      {"ARGS,ARGS_NAMES", "ARGS|ARGS_NAMES"},
      {"\"ARGS | ARGS_NAMES\"", "ARGS|ARGS_NAMES"},
      {"REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|XML:/*", "REQUEST_COOKIES|!REQUEST_COOKIES:/__utm/|XML:/*"},
      {"XML:/*|XML://@*", "XML:/*|XML://@*"},
      {"TX:/^header_[A-Z]/", "TX:/^header_[A-Z]/"},
      {"TX:'/WEB_ATTACK/'", "TX:/WEB_ATTACK/"},
      {"\"ARGS:'/^a|b, c/'|TX:1\"", "ARGS:/^a|b, c/|TX:1"},
      {"ARGS:/a|b/|TX:1", "ARGS:/a|b/|TX:1"},
      {"ARGS:/a\\/b/", "ARGS:/a\\/b/"},
      {"ARGS:'a,b'", "ARGS:a,b"},
      {"ARGS:data[a][]|TX:922100_CHARSET", "ARGS:data[a][]|TX:922100_charset"},
      {"MULTIPART_SEMICOLON_MISSING", "MULTIPART_MISSING_SEMICOLON"},
      {"IP:dos|GEO:COUNTRY_CODE|DURATION", "IP:dos|GEO:country_code|DURATION"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(describe(only("SecRule " + std::string(c.written) + " a id:1").targets), c.means) << c.written;
  }
}

TEST(Parser, Operators) {
  struct Case {
    std::string_view written;
    OperatorKind kind;
    bool negated;
    std::string_view argument;
  };
  const Case cases[] = {
      {"a b", OperatorKind::rx, false, "a b"},
      {"", OperatorKind::rx, false, ""},
      {"!a", OperatorKind::rx, true, "a"},
      {"@rx ^a $", OperatorKind::rx, false, "^a $"},
      {"@rx  a ", OperatorKind::rx, false, "a "},
      {"!@rx a", OperatorKind::rx, true, "a"},
      {"! @RX a", OperatorKind::rx, true, "a"},
      {"@rx \\\"a\\\\", OperatorKind::rx, false, "\"a\\\\"},
      {"@rx ^%{tx.Allowed}$", OperatorKind::rx, false, "^<TX.allowed>$"},
      {"@rx a%{2}%{", OperatorKind::rx, false, "a%{2}%{"},
      {"@rx %{%{tx.a}", OperatorKind::rx, false, "%{<TX.a>"},
      {"@streq %{tx:a}b%{MATCHED_VAR}", OperatorKind::str_eq, false, "<TX.a>b<MATCHED_VAR>"},
      {"@eq  5 ", OperatorKind::eq, false, "5"},
      {"@gt %{tx.max}", OperatorKind::gt, false, "<TX.max>"},
      {"@within |%{tx.a}|", OperatorKind::within, false, "|<TX.a>|"},
      {"@detectSQLi", OperatorKind::detect_sqli, false, ""},
      {"!@detectXSS ", OperatorKind::detect_xss, true, ""},
      {"@ipMatch 127.0.0.1,::1, 10.0.0.1/8", OperatorKind::ip_match, false, "127.0.0.1,::1, 10.0.0.1/8"},
      {"@validateByteRange 9,10,32-126", OperatorKind::validate_byte_range, false, "9,10,32-126"},
      {"@unconditionalMatch", OperatorKind::unconditional, false, ""},
      {"@rbl dnsbl.example.org", OperatorKind::rbl, false, "dnsbl.example.org"},
      {"@strmatch a", OperatorKind::str_match, false, "a"},
  };
  for (const Case& c : cases) {
    const Operator op = only("SecRule ARGS \"" + std::string(c.written) + "\" id:1").op;
    EXPECT_EQ(op.kind, c.kind) << c.written;
    EXPECT_EQ(op.negated, c.negated) << c.written;
    EXPECT_EQ(describe(op.argument), c.argument) << c.written;
  }
}

TEST(Parser, Phrases) {
  const auto phrases = [](std::string_view written) {
    return only("SecRule ARGS \"@pm " + std::string(written) + "\" id:1").op.phrases;
  };
  EXPECT_THAT(phrases("Foo  bar BAZ "), ElementsAre("foo", "bar", "baz"));
  EXPECT_THAT(phrases("a|20 62|c d"), ElementsAre("a", "bc", "d"));  // a blank in hex separates like any other
  EXPECT_THAT(phrases("a|0a|b"), ElementsAre("a\nb"));
  EXPECT_THAT(phrases("a\\:b \\\\"), ElementsAre("a:b", "\\"));
  EXPECT_THAT(phrases("a|zz|"), ElementsAre("a|zz|")) << "what is not hex means itself";
  EXPECT_THAT(phrases("a|b"), ElementsAre("a|b"));
  EXPECT_THAT(phrases("\\d"), ElementsAre("\\d"));
}

TEST(Parser, ActionsOfARule) {
  const Rule rule = only(
      "SecRule ARGS a "
      "\"id:'12',phase:request,deny,status:406,t:none,t:lowercase,t:normalisePath,capture,multiMatch,\\\n"
      "  msg:'it\\'s %{MATCHED_VAR}, really',logdata:%{TX.0},tag:'a,b',tag:c,severity:'CRITICAL',ver:'1/2',rev:3,\\\n"
      "  maturity:9,accuracy:'8', skipAfter:END ,setvar:tx.a=1\"\nSecMarker END");
  const Actions& a = rule.actions;
  EXPECT_EQ(a.id, 12u);
  EXPECT_EQ(a.phase, 2);
  EXPECT_EQ(a.disruptive, Disruptive::deny);
  EXPECT_EQ(a.status, 406);
  EXPECT_THAT(a.transformations, ElementsAre(Transformation::lowercase, Transformation::normalize_path));
  EXPECT_TRUE(a.capture && a.multi_match && a.log && a.audit_log);
  EXPECT_EQ(describe(a.msg), "it's <MATCHED_VAR>, really");
  EXPECT_EQ(describe(a.logdata), "<TX.0>");
  EXPECT_THAT(a.tags, ElementsAre("a,b", "c"));
  EXPECT_EQ(a.severity, Severity::critical);
  EXPECT_EQ(a.version, "1/2");
  EXPECT_EQ(a.revision, "3");
  EXPECT_EQ(a.maturity, 9);
  EXPECT_EQ(a.accuracy, 8);
  EXPECT_EQ(a.skip_after, "END");
  EXPECT_EQ(rule.position.line, 1u);
  EXPECT_EQ(rule.position.column, 1u);
}

TEST(Parser, Defaults) {
  const Actions a = only("SecRule ARGS a id:1").actions;
  EXPECT_EQ(a.phase, 2);
  EXPECT_EQ(a.disruptive, Disruptive::pass);
  EXPECT_EQ(a.status, 403);
  EXPECT_TRUE(a.log && a.audit_log);
  EXPECT_EQ(a.severity, Severity::unset);
  EXPECT_EQ(only("SecAction \"id:1,redirect:https://a/%{UNIQUE_ID}\"").actions.status, 302);
  EXPECT_EQ(describe(only("SecAction \"id:1,redirect:https://a/%{UNIQUE_ID}\"").actions.redirect),
            "https://a/<UNIQUE_ID>");
  EXPECT_EQ(only("SecAction \"id:1,deny,allow:phase\"").actions.disruptive, Disruptive::allow_phase);
  EXPECT_EQ(only("SecAction \"id:1,severity:7\"").actions.severity, Severity::debug);
  EXPECT_EQ(only("SecAction \"id:1,phase:logging\"").actions.phase, 5);
}

TEST(Parser, LogActions) {
  struct Case {
    std::string_view defaults, actions;
    bool log, audit;
  };
  const Case cases[] = {
      {"", "", true, true},
      {"", ",nolog", false, false},
      {"", ",nolog,auditlog", false, true},
      {"", ",auditlog,nolog", false, false},
      {"", ",noauditlog", true, false},
      {"nolog", "", false, false},
      {"nolog", ",log", true, false},
      {"nolog,auditlog", "", false, true},
      {"log,noauditlog", ",nolog", false, false},
  };
  for (const Case& c : cases) {
    std::string text = "SecAction \"id:1" + std::string(c.actions) + "\"";
    if (!c.defaults.empty()) text = "SecDefaultAction \"phase:2,pass," + std::string(c.defaults) + "\"\n" + text;
    const Actions a = only(text).actions;
    EXPECT_EQ(a.log, c.log) << text;
    EXPECT_EQ(a.audit_log, c.audit) << text;
  }
}

TEST(Parser, DefaultActionsOfThePhase) {
  const RuleSet set = parsed(
      "SecRule ARGS a \"id:1,block\"\n"
      "SecDefaultAction \"phase:2,deny,status:405,t:lowercase,t:trim\"\n"
      "SecRule ARGS a \"id:2,block,status:410,t:urlDecode\"\n"
      "SecRule ARGS a \"id:3,block,t:sha1,t:none,t:urlDecode\"\n"
      "SecRule ARGS a \"id:4,phase:1,block\"\n"
      "SecRule ARGS a \"id:5,block,chain\"\n"
      "SecRule ARGS a t:md5\n"
      "SecRule ARGS a \"id:6\"\n");
  ASSERT_EQ(set.rules.size(), 7u);
  const auto& a = set.rules;
  EXPECT_EQ(a[0].actions.disruptive, Disruptive::deny) << "they hold for what stands before them too";
  EXPECT_EQ(a[0].actions.status, 405);
  EXPECT_EQ(a[1].actions.status, 410);
  EXPECT_THAT(a[1].actions.transformations,
              ElementsAre(Transformation::lowercase, Transformation::trim, Transformation::url_decode));
  EXPECT_THAT(a[2].actions.transformations, ElementsAre(Transformation::url_decode));
  EXPECT_EQ(a[3].actions.disruptive, Disruptive::pass) << "another phase";
  EXPECT_TRUE(a[3].actions.transformations.empty());
  EXPECT_EQ(a[5].actions.disruptive, Disruptive::none);
  EXPECT_TRUE(a[5].chained);
  EXPECT_EQ(a[5].actions.id, 0u);
  EXPECT_THAT(a[5].actions.transformations,
              ElementsAre(Transformation::lowercase, Transformation::trim, Transformation::md5));
  EXPECT_EQ(a[6].actions.disruptive, Disruptive::pass) << "only block asks for the default";
}

TEST(Parser, Variables) {
  struct Case {
    std::string_view written;
    SetVar::Kind kind;
    Variable collection;
    std::string_view key, value;
  };
  const Case cases[] = {
      {"tx.Score", SetVar::Kind::set, Variable::tx, "score", "1"},
      {"!tx.score", SetVar::Kind::unset, Variable::tx, "score", ""},
      {"TX.a=", SetVar::Kind::set, Variable::tx, "a", ""},
      {"tx.a=B c", SetVar::Kind::set, Variable::tx, "a", "B c"},
      {"'tx.a=+%{tx.b}'", SetVar::Kind::add, Variable::tx, "a", "<TX.b>"},
      {"tx.a=-5", SetVar::Kind::subtract, Variable::tx, "a", "5"},
      {"'ip.a=x,y=z'", SetVar::Kind::set, Variable::ip, "a", "x,y=z"},
      {"'tx.%{rule.id}-%{MATCHED_VAR_NAME}=%{tx.0}'", SetVar::Kind::set, Variable::tx, "<RULE.id>-<MATCHED_VAR_NAME>",
       "<TX.0>"},
  };
  for (const Case& c : cases) {
    const Actions a = only("SecAction \"id:1,setvar:" + std::string(c.written) + "\"").actions;
    ASSERT_EQ(a.setvars.size(), 1u) << c.written;
    EXPECT_EQ(a.setvars[0].kind, c.kind) << c.written;
    EXPECT_EQ(a.setvars[0].collection, c.collection) << c.written;
    EXPECT_EQ(describe(a.setvars[0].key), c.key) << c.written;
    EXPECT_EQ(describe(a.setvars[0].value), c.value) << c.written;
  }
  const Actions a = only("SecAction \"id:1,expirevar:'ip.Flag=%{tx.t}',initcol:ip=%{REMOTE_ADDR}_x\"").actions;
  ASSERT_EQ(a.expirevars.size(), 1u);
  EXPECT_EQ(describe(a.expirevars[0].key), "flag");
  EXPECT_EQ(describe(a.expirevars[0].seconds), "<TX.t>");
  ASSERT_TRUE(a.initcol_ip);
  EXPECT_EQ(describe(*a.initcol_ip), "<REMOTE_ADDR>_x");
}

TEST(Parser, Ctl) {
  const auto ctl = [](std::string_view written) {
    const Actions a = only("SecAction \"id:1,ctl:" + std::string(written) + "\"").actions;
    if (a.ctls.size() != 1) return std::string("none");
    std::string result = a.ctls[0].value;
    for (const IdRange& r : a.ctls[0].ids) result += fmt::format("({}-{})", r.first, r.last);
    if (a.ctls[0].target) result += " " + describe(*a.ctls[0].target);
    return result;
  };
  EXPECT_EQ(ctl("ruleEngine=detectiononly"), "DetectionOnly");
  EXPECT_EQ(ctl("requestBodyProcessor=json"), "JSON");
  EXPECT_EQ(ctl("auditLogParts=+E"), "+E");
  EXPECT_EQ(ctl("FORCEREQUESTBODYVARIABLE=On"), "On");
  EXPECT_EQ(ctl("ruleRemoveById=1-3"), "(1-3)");
  EXPECT_EQ(ctl("'ruleRemoveById=1, 5-6 9'"), "(1-1)(5-6)(9-9)");
  EXPECT_EQ(ctl("'ruleRemoveById=7-9 2 8-12'"), "(2-2)(7-12)");
  EXPECT_EQ(ctl("ruleRemoveByTag=attack-sqli"), "attack-sqli");
  EXPECT_EQ(ctl("ruleRemoveTargetById=942100;ARGS:Data[a][]"), "(942100-942100) ARGS:data[a][]");
  EXPECT_EQ(ctl("ruleRemoveTargetById=942100-942199;ARGS:/^a|b$/"), "(942100-942199) ARGS:/^a|b$/");
  EXPECT_EQ(ctl("ruleRemoveTargetByTag=OWASP_CRS;ARGS"), "OWASP_CRS ARGS");
  EXPECT_EQ(ctl("ruleRemoveTargetByTag=OWASP_CRS;REQUEST_COOKIES:a"), "OWASP_CRS REQUEST_COOKIES:a");
}

TEST(Parser, Removals) {
  const std::string rules =
      "SecRule ARGS a \"id:1,tag:a,msg:'One %{TX.Name}',chain\"\nSecRule ARGS b\nSecMarker M\n"
      "SecRule ARGS a \"id:2,tag:a,tag:b\"\nSecRule ARGS a \"id:3,tag:abc,msg:'Three'\"\nSecMarker N\n";
  const auto left = [&](const std::string& change) { return ids(parsed(change + "\n" + rules)); };
  EXPECT_THAT(left("SecRuleRemoveById 1"), ElementsAre(2, 3));
  EXPECT_THAT(left("SecRuleRemoveById 2-99 7"), ElementsAre(1, 0));
  EXPECT_THAT(left("SecRuleRemoveById \"1 3\""), ElementsAre(2));
  EXPECT_THAT(left("SecRuleRemoveById 1,2,3"), IsEmpty());
  EXPECT_THAT(left("SecRuleRemoveByTag a"), ElementsAre(3));
  EXPECT_THAT(left("SecRuleRemoveByMsg Three"), ElementsAre(1, 0, 2));
  EXPECT_THAT(left("SecRuleRemoveByMsg \"One %{TX.Name}\""), ElementsAre(2, 3));

  const RuleSet set = parsed(rules + "SecRuleRemoveById 1");
  ASSERT_EQ(set.markers.size(), 2u);
  EXPECT_EQ(set.markers[0].before, 0u);
  EXPECT_EQ(set.markers[1].before, 2u);

  const ParseResult result = parse_text(rules + "SecRuleRemoveById 9\nSecRuleRemoveByTag ab");
  ASSERT_EQ(result.ignored.size(), 2u);
  EXPECT_EQ(to_string(result.ignored[0], result.rules), "test.conf:7:1: no rule has the id 9");
  EXPECT_EQ(to_string(result.ignored[1], result.rules),
            "test.conf:8:1: no rule has the tag \"ab\"; it is compared as a whole");
}

TEST(Parser, Updates) {
  const std::string rules = "SecRule ARGS a \"id:1,tag:a,msg:m,t:none,t:trim,chain\"\nSecRule ARGS b\n";
  const auto changed = [&](const std::string& change) {
    RuleSet set = parsed(change + "\n" + rules);
    EXPECT_EQ(describe(set.rules.at(1).targets), "ARGS") << "of a chain, the first rule is meant";
    return set.rules.at(0);
  };
  EXPECT_EQ(describe(changed("SecRuleUpdateTargetById 1 \"!ARGS:x\"").targets), "ARGS|!ARGS:x");
  EXPECT_EQ(describe(changed("SecRuleUpdateTargetById 1-5 \"!REQUEST_COOKIES:/^_ga(?:_\\w+)?$/\"").targets),
            "ARGS|!REQUEST_COOKIES:/^_ga(?:_\\w+)?$/");
  EXPECT_EQ(describe(changed("SecRuleUpdateTargetByTag a \"!ARGS:x,!ARGS:y|TX:1\"").targets),
            "ARGS|!ARGS:x|!ARGS:y|TX:1");
  EXPECT_EQ(describe(changed("SecRuleUpdateTargetByMsg m \"!ARGS:x\"").targets), "ARGS|!ARGS:x");
  const Actions a = changed("SecRuleUpdateActionById 1 \"deny,status:410,tag:b,t:lowercase,msg:'new',nolog\"").actions;
  EXPECT_EQ(a.disruptive, Disruptive::deny);
  EXPECT_EQ(a.status, 410);
  EXPECT_THAT(a.tags, ElementsAre("a", "b"));
  EXPECT_THAT(a.transformations, ElementsAre(Transformation::trim, Transformation::lowercase));
  EXPECT_EQ(describe(a.msg), "new");
  EXPECT_FALSE(a.log);
  EXPECT_EQ(a.id, 1u);
}

TEST(Parser, ChangesAreBounded) {
  std::string text;
  for (int i = 1; i <= 3000; ++i) text += fmt::format("SecRule ARGS a id:{}\n", i);
  for (int i = 0; i < 3000; ++i) text += "SecRuleUpdateTargetById 1-3000 \"!ARGS:a|!ARGS:b|!ARGS:c\"\n";
  const ParseResult result = parse_text(text);
  ASSERT_FALSE(result.errors.empty());
  EXPECT_EQ(result.errors[0].message, "the removals and updates so far change too much");
}

TEST(Parser, MarkersStandInFrontOfRules) {
  const RuleSet set =
      parsed("SecAction \"id:1,skipAfter:B\"\nSecMarker 'A'\nSecAction id:2\nSecMarker \"B\"\nSecMarker A\n");
  ASSERT_EQ(set.markers.size(), 3u);
  EXPECT_EQ(set.markers[0].name, "A");
  EXPECT_EQ(set.markers[0].before, 1u);
  EXPECT_EQ(set.markers[1].before, 2u);
  EXPECT_EQ(set.markers[2].before, 2u);
}

// The directives of ModSecurity's recommended configuration and of ordinary set-ups.
TEST(Parser, Settings) {
  const ParseResult result = parse_text(
      "SecRuleEngine DetectionOnly\nSecRequestBodyAccess On\nSecRequestBodyLimit 13107200\n"
      "SecRequestBodyNoFilesLimit 131072\nSecRequestBodyInMemoryLimit 131072\nSecRequestBodyLimitAction Reject\n"
      "SecRequestBodyJsonDepthLimit 512\nSecArgumentsLimit 1000\nSecPcreMatchLimit 1000\n"
      "SecPcreMatchLimitRecursion 1000\nSecResponseBodyAccess Off\nSecResponseBodyMimeType text/plain text/HTML\n"
      "SecResponseBodyLimit 524288\nSecResponseBodyLimitAction ProcessPartial\nSecTmpDir /tmp/\nSecDataDir /tmp/\n"
      "SecAuditEngine RelevantOnly\nSecAuditLogRelevantStatus \"^(?:5|4(?!04))\"\nSecAuditLogParts ABIJDEFHZ\n"
      "SecAuditLogType Serial\nSecAuditLog /var/log/modsec_audit.log\nSecArgumentSeparator &\nSecCookieFormat 0\n"
      "SecUnicodeMapFile unicode.mapping 20127\nSecStatusEngine On\nSecCollectionTimeout 600\n"
      "SecComponentSignature \"A/1\"\nSecComponentSignature B\nSecRule TX:/^MSC_/ \"!@streq 0\" "
      "\"id:200005,status:44,deny\"\n");
  EXPECT_THAT(result.errors, IsEmpty()) << describe(result);
  const RuleSettings& s = result.rules.settings;
  EXPECT_EQ(s.engine, EngineMode::detection_only);
  EXPECT_EQ(s.request_body_access, true);
  EXPECT_EQ(s.response_body_access, false);
  EXPECT_EQ(s.request_body_limit, 13107200u);
  EXPECT_EQ(s.request_body_no_files_limit, 131072u);
  EXPECT_EQ(s.response_body_limit, 524288u);
  EXPECT_EQ(s.request_body_limit_action, LimitAction::reject);
  EXPECT_EQ(s.response_body_limit_action, LimitAction::process_partial);
  EXPECT_EQ(s.request_body_json_depth_limit, 512u);
  EXPECT_EQ(s.arguments_limit, 1000u);
  EXPECT_THAT(s.response_body_mime_types, ElementsAre("text/plain", "text/html"));
  EXPECT_EQ(s.collection_timeout_seconds, 600u);
  EXPECT_EQ(s.component_signature, "A/1, B");
  ASSERT_EQ(result.ignored.size(), 15u);
  EXPECT_EQ(
      to_string(result.ignored.front(), result.rules),
      "test.conf:5:1: SecRequestBodyInMemoryLimit has no effect: the gateway keeps bodies in memory, within its own "
      "limits");
  EXPECT_EQ(to_string(result.ignored.back(), result.rules),
            "test.conf:29:50: 44 is not a status code of HTTP; the default is used");
}

TEST(Parser, WhatHasNoEffectIsListed) {
  const ParseResult result = parse_text(
      "SecAction \"id:1,setenv:a=b,initcol:global=g,ctl:debugLogLevel=9,xmlns:a=b\"\nSecRuleRemoveByMsg x\n"
      "SecAction \"id:2,expirevar:tx.a=5,expirevar:ip.a=5\"\n");
  EXPECT_THAT(result.errors, IsEmpty()) << describe(result);
  std::string all;
  for (const Finding& finding : result.ignored) all += to_string(finding, result.rules) + "\n";
  EXPECT_EQ(all,
            "test.conf:1:17: setenv has no effect in a gateway\n"
            "test.conf:1:36: the collection GLOBAL is not kept; rules that read or set it are errors\n"
            "test.conf:1:49: ctl:debugLogLevel has no effect here\n"
            "test.conf:1:65: xmlns has no effect in a gateway\n"
            "test.conf:3:27: expirevar has no effect on a TX variable; it ends with the request in any case\n"
            "test.conf:2:1: no rule has the message \"x\"; it is compared as a whole\n");
}

}  // namespace
}  // namespace gatehouse::waf
