// What is refused, with the words and the place.
#include <gtest/gtest.h>

#include "waf/seclang/describe_for_tests.h"

namespace gatehouse::waf {
namespace {

struct Case {
  std::string_view text, error;  // the first error, behind `test.conf:`
};

void expect_refused(std::span<const Case> cases) {
  for (const Case& c : cases) {
    const ParseResult result = parse_text(c.text);
    if (result.errors.empty()) {
      ADD_FAILURE() << "accepted: " << c.text;
      continue;
    }
    EXPECT_EQ(to_string(result.errors.front(), result.rules), "test.conf:" + std::string(c.error)) << c.text;
  }
}

TEST(Refused, Directives) {
  const Case cases[] = {
      {"SecRul ARGS a", "1:1: unknown directive \"SecRul\"; did you mean SecRule?"},
      {"\n  SecFoo x", "2:3: unknown directive \"SecFoo\""},
      {"SecRule ARGS", "1:1: SecRule has too few arguments; it is SecRule VARIABLES \"operator\" \"actions\""},
      {"SecRule ARGS a id:1 b",
       "1:21: SecRule has too many arguments; it is SecRule VARIABLES \"operator\" \"actions\""},
      {"SecRule ARGS \"a",
       "1:14: this quote is never closed; a line goes on only when its very last character is a backslash"},
      {"SecRuleEngine Maybe", "1:15: \"Maybe\" is not one of On, DetectionOnly, Off"},
      {"SecRuleEngine DetectOnly",
       "1:15: \"DetectOnly\" is not one of On, DetectionOnly, Off; did you mean DetectionOnly?"},
      {"SecRuleEngine", "1:1: SecRuleEngine needs a value"},
      {"SecRuleEngine On On", "1:18: SecRuleEngine takes 1 value(s) and no more"},
      {"SecRequestBodyLimit 12k", "1:21: \"12k\" is not a number"},
      {"SecRequestBodyLimitAction Stop", "1:27: \"Stop\" is not one of Reject, ProcessPartial"},
      {"SecArgumentSeparator ;", "1:22: SecArgumentSeparator \";\" is not supported; it is always &"},
      {"SecRemoteRules key https://a/", "1:1: directive SecRemoteRules is not supported"},
      {"<IfModule security2_module>",
       "1:1: Apache's sections are not part of SecLang; what stands in them is read as if they were not there"},
      {"SecMarker \" \"", "1:12: a marker needs a name"},
      {"SecDefaultAction \"phase:2,log\"",
       "1:19: default actions need a disruptive one; add pass, deny, drop, allow or redirect"},
      {"SecDefaultAction \"log,pass\"", "1:19: default actions need a phase; add phase:…"},
      {"SecDefaultAction \"phase:2,pass\"\nSecDefaultAction \"phase:2,deny\"",
       "2:1: phase 2 has its default actions already; they are at test.conf:1"},
      {"SecDefaultAction \"phase:2,pass,t:none\"", "1:34: t:none has no meaning in SecDefaultAction"},
      {"SecDefaultAction \"phase:2,pass,tag:x\"", "1:32: tag cannot be a default action"},
      {"SecRuleRemoveById 1 2-x", "1:21: \"2-x\" is not an id or a range of ids; for example 942100 or 942100-942999"},
      {"SecRuleRemoveById 5-4", "1:19: \"5-4\" is not an id or a range of ids; for example 942100 or 942100-942999"},
      {"SecRuleUpdateTargetById 1 \"!FOO:a\"", "1:29: unknown variable \"FOO\""},
      {"SecRuleUpdateActionById 1 \"id:2\"", "1:28: id of a rule cannot be changed"},
      {"SecRuleUpdateActionById 1 \"pass,denny\"", "1:33: unknown action \"denny\"; did you mean deny?"},
  };
  expect_refused(cases);
}

TEST(Refused, Variables) {
  const Case cases[] = {
      {"SecRule ARG a id:1", "1:9: unknown variable \"ARG\"; did you mean ARGS?"},
      {"SecRule ARGS|REQEST_URI a id:1", "1:14: unknown variable \"REQEST_URI\"; did you mean REQUEST_URI?"},
      {"SecRule REMOTE_PORT a id:1", "1:9: variable REMOTE_PORT is not supported"},
      {"SecRule ARGS| a id:1", "1:14: a variable is expected here; for example ARGS or REQUEST_HEADERS:Host"},
      {"SecRule ARGS: a id:1", "1:14: ARGS: has no key; leave the colon out to mean all"},
      {"SecRule REQUEST_METHOD:x a id:1", "1:24: REQUEST_METHOD is one value and takes no key"},
      {"SecRule ARGS:/a a id:1", "1:14: a regular expression as key stands between two slashes; write /pattern/"},
      {"SecRule ARGS:'a a id:1", "1:14: this quote is never closed"},
      {"SecRule XML a id:1", "1:9: XML needs a path; XML:/* is all text, XML://@* all attributes"},
      {"SecRule XML:/a/b a id:1", "1:13: of XML only /* (all text) and //@* (all attributes) are supported"},
      {"SecRule !&ARGS a id:1", "1:10: ! (not this one) and & (how many) stand once, and not together"},
      {"SecRule !ARGS:a a id:1", "1:9: the rule looks at nothing; variables with ! only take away from others"},
      {"SecRule \"ARGS b\" a id:1", "1:15: \"b\" after a variable; variables are separated by |"},
  };
  expect_refused(cases);
}

TEST(Refused, Operators) {
  const Case cases[] = {
      {"SecRule ARGS \"@contain a\" id:1", "1:15: unknown operator \"@contain\"; did you mean contains?"},
      {"SecRule ARGS \"!@qqqqqqq a\" id:1",
       "1:16: unknown operator \"@qqqqqqq\"; a pattern that begins with @ is written @rx @…"},
      {"SecRule ARGS \"@inspectFile /a.lua\" id:1", "1:15: operator @inspectFile is not supported"},
      {"SecRule ARGS @eq id:1", "1:14: @eq needs an argument"},
      {"SecRule ARGS \"@pm  \" id:1", "1:15: @pm needs an argument"},
      {"SecRule ARGS \"@detectSQLi x\" id:1", "1:27: @detectSQLi takes no argument"},
      {"SecRule ARGS \"@ipMatch ::1,foo\" id:1",
       "1:28: \"foo\" is not an address or a network; for example 192.0.2.0/24"},
      {"SecRule ARGS \"@ipMatch 10.0.0.0/33\" id:1",
       "1:24: \"10.0.0.0/33\" is not an address or a network; for example 192.0.2.0/24"},
      {"SecRule ARGS \"@validateByteRange 9,32-256\" id:1",
       "1:36: \"32-256\" is not a byte or a range of bytes; for example 9,10,32-126"},
      {"SecRule ARGS \"@streq %{txx.a}\" id:1", "1:24: unknown variable \"txx\"; did you mean TX?"},
      {"SecRule ARGS \"@streq %{REMOTE_ADDR.a}\" id:1", "1:24: REMOTE_ADDR is one value and takes no key"},
      {"SecRule ARGS \"@pmFromFile no-such.data\" id:1", "1:27: no-such.data: No such file or directory"},
      {"SecRule ARGS \"@pmFromFile https://a/b\" id:1", "1:27: phrases are read from files only"},
  };
  expect_refused(cases);
}

TEST(Refused, Actions) {
  const Case cases[] = {
      {"SecAction \"pass\"", "1:1: a rule needs an id; add id:… to its actions"},
      {"SecRule ARGS a", "1:1: a rule needs an id; add id:… to its actions"},
      {"SecAction id:1\nSecRule ARGS a id:1", "2:16: the id 1 is taken; the other rule is at test.conf:1"},
      {"SecAction id:0", "1:14: \"0\" is not an id; an id is a number from 1"},
      {"SecAction id:9223372036854775808", "1:14: \"9223372036854775808\" is not an id; an id is a number from 1"},
      {"SecAction \"id:1,\\\n  denny\"", "2:3: unknown action \"denny\"; did you mean deny?"},
      {"SecAction \"id:1,exec:/a\"", "1:17: action exec is not supported"},
      {"SecAction \"id:1,pass,\"", "1:22: an action is expected here; there is a comma too many"},
      {"SecAction \"id:1,msg\"", "1:17: msg needs a value"},
      {"SecAction \"id:1,deny:1\"", "1:22: deny takes no value"},
      {"SecAction \"id:1,msg:'a' b\"", "1:25: \"b\" behind the closing quote"},
      {"SecAction \"id:1,msg:'a\"", "1:21: this quote is never closed"},
      {"SecAction \"id:1,phase:6\"", "1:23: \"6\" is not a phase; it is 1 to 5, request, response or logging"},
      {"SecAction \"id:1,t:lowercas\"", "1:19: unknown transformation \"lowercas\"; did you mean lowercase?"},
      {"SecAction \"id:1,t:sqlHexDecode\"", "1:19: transformation sqlHexDecode is not supported"},
      {"SecAction \"id:1,severity:CRITICL\"", "1:26: \"CRITICL\" is not a severity; did you mean CRITICAL?"},
      {"SecAction \"id:1,severity:8\"",
       "1:26: \"8\" is not a severity; it is 0 to 7 or EMERGENCY, ALERT, CRITICAL, ERROR, WARNING, NOTICE, INFO, "
       "DEBUG"},
      {"SecAction \"id:1,status:abc\"", "1:24: \"abc\" is not a status code; it is 100 to 599"},
      {"SecAction \"id:1,allow:all\"", "1:23: allow:all is not known; it is allow, allow:phase or allow:request"},
      {"SecAction \"id:1,setvar:foo.a=1\"",
       "1:24: collection \"foo\" cannot be set; variables live in tx (this request) or ip (this client)"},
      {"SecAction \"id:1,setvar:tx\"", "1:24: the variable's name is missing; for example tx.score"},
      {"SecAction \"id:1,setvar:!tx.a=1\"", "1:30: a variable that is taken away gets no value"},
      {"SecAction \"id:1,expirevar:ip.a\"",
       "1:27: expirevar needs a number of seconds; for example expirevar:ip.flag=60"},
      {"SecAction \"id:1,initcol:session=x\"",
       "1:25: collection \"session\" is not supported; only ip is kept between requests"},
      {"SecAction \"id:1,ctl:ruleEngin=On\"", "1:21: ctl:ruleEngin is not known; did you mean ruleEngine?"},
      {"SecAction \"id:1,ctl:ruleEngine\"", "1:21: ctl:ruleEngine needs a value; write it behind an equals sign"},
      {"SecAction \"id:1,ctl:ruleEngine=Maybe\"", "1:32: \"Maybe\" is not one of On, Off, DetectionOnly"},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1\"",
       "1:42: the variable is missing; write it behind a semicolon: 942100;ARGS:name"},
      {"SecAction \"id:1,ctl:ruleRemoveTargetById=1;FOO\"", "1:44: unknown variable \"FOO\""},
      {"SecAction \"id:1,ctl:ruleRemoveByMsg=x\"", "1:21: ctl:ruleRemoveByMsg is not supported"},
      {"SecAction \"id:1,skipAfter:END\"", "1:17: there is no marker \"END\""},
      {"SecMarker END-A\nSecAction \"id:1,skipAfter:END-B\"",
       "2:17: there is no marker \"END-B\"; did you mean END-A?"},
      {"SecMarker END\nSecAction \"id:1,skipAfter:END\"",
       "2:17: the marker \"END\" stands before this rule; skipAfter only goes forward"},
  };
  expect_refused(cases);
}

TEST(Refused, Chains) {
  const std::string head = "SecRule ARGS a \"id:1,chain\"\n";
  const std::string table[][2] = {
      {head, "1:22: the chain ends with the file; the last rule must not say chain"},
      {head + "SecRule ARGS b deny", "2:16: only the first rule of a chain has a disruptive action"},
      {head + "SecRule ARGS b block", "2:16: only the first rule of a chain has a disruptive action"},
      {head + "SecRule ARGS b phase:2", "2:16: only the first rule of a chain has a phase"},
      {head + "SecRule ARGS b id:2", "2:16: only the first rule of a chain has an id"},
      {head + "SecRule ARGS b skip:1", "2:16: only the first rule of a chain has skip or skipAfter"},
      {head + "SecMarker A\nSecAction id:2", "2:1: a chain goes on with SecRule and nothing else; line 1 says chain"},
      {head + "SecAction id:2", "2:1: a chain goes on with SecRule and nothing else; line 1 says chain"},
      {"SecAction \"id:1,chain\"\nSecRule ARGS a t:none",
       "1:17: SecAction cannot begin a chain; write SecRule with @unconditionalMatch"},
  };
  std::vector<Case> cases;
  for (const auto& row : table) cases.push_back({row[0], row[1]});
  expect_refused(cases);
}

// One mistake, one message: what follows from it is not reported too.
TEST(Refused, OneMistakeIsOneError) {
  for (const std::string_view text : {
           "SecRule ARGS \"@foo a\" \"id:1,chain\"\nSecRule ARGS a",
           "SecRule FOO a \"id:1,chain\"\nSecRule ARGS a",
           "SecRule ARGS a \"id:1,chain\"\nSecRule ARGS \"b\nSecRule ARGS c",
           "SecRule ARGS \"a\" \"id:1,chain\nSecRule ARGS b",
           "SecRule ARGS a id:x",
           "SecAction \"id:1,chain\"\nSecRule ARGS a",
       }) {
    const ParseResult result = parse_text(text);
    EXPECT_EQ(result.errors.size(), 1u) << text << "\n" << describe(result);
  }
}

TEST(Refused, AllErrorsAreToldUpToABound) {
  std::string text;
  for (int i = 0; i < 7; ++i) text += "SecRule ARGS \"@foo a\" \"id:" + std::to_string(i + 1) + ",bar\"\n";
  const ParseResult all = parse_text(text);
  EXPECT_EQ(all.errors.size(), 14u);
  EXPECT_FALSE(all.more_errors);
  EXPECT_EQ(all.errors.back().position.line, 7u);
  const ParseResult some = parse_text(text, {.errors_max = 5});
  EXPECT_EQ(some.errors.size(), 5u);
  EXPECT_TRUE(some.more_errors);
}

}  // namespace
}  // namespace gatehouse::waf
