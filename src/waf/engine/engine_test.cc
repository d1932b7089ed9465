// The engine on small rule sets whose outcome the reference manual tells; the Core Rule Set's own tests are in
// regression/crs_test.cc.

#include <gtest/gtest.h>

#include "waf/differential/engine_under_test.h"
#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {
namespace {

struct Outcome {
  std::vector<std::uint64_t> fired;
  std::uint64_t stopped_by = 0;
  std::uint16_t status = 0;
  std::string data;  // of the last rule that fired
};

std::unique_ptr<const Program> compile(const std::string& rules) { return compile_rules({{"test.conf", rules}}); }

// With the plan and without it: both must see the same.
Outcome run(const std::string& rules, const std::string& request, const RawResponse* response = nullptr) {
  const auto program = compile(rules);
  if (!program) return {};
  const auto plan = MatchPlan::build(*program, {});
  EXPECT_TRUE(plan);
  Outcome outcomes[2];
  for (const bool planned : {false, true}) {
    Workspace workspace(*program, planned ? plan->get() : nullptr);
    Transaction transaction(workspace, SystemClock::instance());
    transaction.begin({});
    inspect(transaction, *parse_raw_request(request), response);
    Outcome& outcome = outcomes[planned];
    for (const FiredRule& fired : transaction.fired()) {
      outcome.fired.push_back(fired.id);
      outcome.data = fired.data;
    }
    if (const Interruption* stopped = transaction.interruption()) {
      outcome.stopped_by = stopped->rule_id;
      outcome.status = stopped->status;
    }
  }
  EXPECT_EQ(outcomes[0].fired, outcomes[1].fired) << rules;
  EXPECT_EQ(outcomes[0].data, outcomes[1].data) << rules;
  return outcomes[1];
}

std::string get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: shop.example\r\n" + headers + "\r\n";
}

using Ids = std::vector<std::uint64_t>;

TEST(Engine, DenyEndsThePhaseAndTellsItsStatus) {
  const Outcome outcome = run(R"(
SecRule ARGS:q "@rx <script" "id:1,phase:2,deny,status:418,t:none,t:lowercase,msg:'script'"
SecRule ARGS "@rx ." "id:2,phase:2,pass")",
                              get("/?q=%3CSCRIPT"));
  EXPECT_EQ(outcome.fired, Ids{1});
  EXPECT_EQ(outcome.stopped_by, 1u);
  EXPECT_EQ(outcome.status, 418);
}

TEST(Engine, WhatWasOnlyDetectedIsNotActedUponLater) {
  const std::string rules = R"(
SecAction "id:1,phase:1,pass,nolog,ctl:ruleEngine=DetectionOnly"
SecRule ARGS:a "@streq 1" "id:2,phase:1,deny,status:410"
SecAction "id:3,phase:1,pass,nolog,ctl:ruleEngine=On"
SecRule ARGS:b "@streq 1" "id:4,phase:2,deny,status:418")";
  const auto program = compile(rules);
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  transaction.begin({});
  inspect(transaction, *parse_raw_request(get("/?a=1")), nullptr);
  ASSERT_NE(transaction.interruption(), nullptr);
  EXPECT_FALSE(transaction.interruption()->acts);
  transaction.end();
  transaction.begin({});
  inspect(transaction, *parse_raw_request(get("/?a=1&b=1")), nullptr);
  ASSERT_NE(transaction.interruption(), nullptr);
  EXPECT_TRUE(transaction.interruption()->acts);
  EXPECT_EQ(transaction.interruption()->rule_id, 4u);
}

// The names of TX variables that no rule spells out move when another is added (a use after free under ASan).
TEST(Engine, VariablesMayBeAddedWhileTheirCollectionIsLookedAt) {
  const Outcome outcome = run(R"(
SecRule ARGS "@rx ." "id:1,phase:2,pass,nolog,setvar:'tx.hdr_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule TX:/^hdr_/ "@rx ." "id:2,phase:2,pass,multiMatch,t:lowercase,setvar:'tx.seen_%{MATCHED_VAR}=1'")",
                              get("/?a=AAAA&b=BBBB&c=CCCC&d=DDDD&e=EEEE"));
  EXPECT_EQ(outcome.fired, (Ids{1, 2}));
}

TEST(Engine, SetvarRunsForEachValueThatMatches) {
  const Outcome outcome = run(R"(
SecAction "id:1,phase:1,pass,nolog,setvar:tx.step=5"
SecRule ARGS "@contains evil" "id:2,phase:2,pass,setvar:tx.score=+%{tx.step}"
SecRule TX:score "@eq 10" "id:3,phase:2,pass,logdata:'score %{tx.score}'")",
                              get("/?a=evil&b=good&c=evil"));
  EXPECT_EQ(outcome.fired, (Ids{1, 2, 3}));
  EXPECT_EQ(outcome.data, "score 10");
}

TEST(Engine, AChainMatchesAsAWhole) {
  const std::string rules = R"(
SecRule REQUEST_METHOD "@streq GET" "id:1,phase:1,deny,status:405,chain"
  SecRule ARGS:a "@rx ^(\d+)$" "capture,chain"
  SecRule TX:1 "@gt 41" "t:none")";
  EXPECT_EQ(run(rules, get("/?a=42")).stopped_by, 1u);
  EXPECT_EQ(run(rules, get("/?a=41")).fired, Ids{});
  EXPECT_EQ(run(rules, get("/?a=x")).fired, Ids{});
}

TEST(Engine, MatchedVarsAreThoseOfTheRuleBeforeInTheChain) {
  const Outcome outcome = run(R"(
SecRule ARGS "@rx b" "id:1,phase:2,pass,chain"
  SecRule MATCHED_VARS_NAMES "@rx ^ARGS:two$" "logdata:'%{MATCHED_VAR}'")",
                              get("/?one=abc&two=xbx&three=c"));
  EXPECT_EQ(outcome.fired, Ids{1});
}

TEST(Engine, JumpsLeadBehindTheMarkerOfTheirPhase) {
  const Outcome outcome = run(R"(
SecAction "id:1,phase:2,pass,skipAfter:END"
SecRule ARGS "@rx ." "id:2,phase:2,pass"
SecAction "id:3,phase:1,pass"
SecMarker END
SecRule ARGS "@rx ." "id:4,phase:2,pass")",
                              get("/?a=1"));
  EXPECT_EQ(outcome.fired, (Ids{3, 1, 4}));
}

TEST(Engine, ExclusionsHoldByKeyPatternAndAtRunTime) {
  EXPECT_EQ(run(R"(SecRule ARGS|!ARGS:comment "@rx evil" "id:1,phase:2,pass")", get("/?Comment=evil")).fired, Ids{});
  EXPECT_EQ(run(R"(SecRule REQUEST_COOKIES|!REQUEST_COOKIES:/^__utm/ "@rx evil" "id:1,phase:1,pass")",
                get("/", "Cookie: __utmz=evil; x=good\r\n"))
                .fired,
            Ids{});
  EXPECT_EQ(run(R"(
SecRule REQUEST_FILENAME "@streq /a" "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=2;ARGS:q"
SecRule ARGS "@rx evil" "id:2,phase:2,pass")",
                get("/a?q=evil"))
                .fired,
            Ids{1});
  EXPECT_EQ(run(R"(
SecRule REQUEST_FILENAME "@streq /a" "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=2-3"
SecRule ARGS "@rx evil" "id:2,phase:2,deny")",
                get("/a?q=evil"))
                .fired,
            Ids{1});
}

TEST(Engine, CountsAndNegations) {
  EXPECT_EQ(run(R"(SecRule &ARGS "@gt 2" "id:1,phase:2,pass")", get("/?a=1&b=2&c=3")).fired, Ids{1});
  EXPECT_EQ(run(R"(SecRule &REQUEST_HEADERS:X-None "@eq 0" "id:1,phase:1,pass")", get("/")).fired, Ids{1});
  EXPECT_EQ(run(R"(SecRule REQUEST_METHOD "!@within POST PUT" "id:1,phase:1,pass")", get("/")).fired, Ids{1});
  EXPECT_EQ(run(R"(SecRule ARGS "!@rx ^\d+$" "id:1,phase:2,pass")", get("/?a=1&b=x")).fired, Ids{1});
}

TEST(Engine, MultiMatchLooksAtEachStep) {
  const std::string rules =
      R"(SecRule ARGS "@rx %41" "id:1,phase:2,pass,multiMatch,t:none,t:urlDecodeUni,t:lowercase")";
  EXPECT_EQ(run(rules, get("/?a=%2541")).fired, Ids{1});
  EXPECT_EQ(run(R"(SecRule ARGS "@rx %41" "id:1,phase:2,pass,t:none,t:urlDecodeUni")", get("/?a=%2541")).fired, Ids{});
}

// What is kept of a match is the value as it was at the step that matched, and the bytes in that.
TEST(Engine, MultiMatchKeepsTheValueOfTheStepThatMatched) {
  struct Case {
    const char* pattern;
    std::vector<std::string> values, matched;
  };
  const Case cases[] = {
      {"<script", {"x <script>"}, {"<script"}},
      {"(?i)<script", {"x <SCRIPT>", "x <script>"}, {"<SCRIPT", "<script"}},
      {"%3c", {"x %3cSCRIPT>"}, {"%3c"}},
      {"SCRIPT", {"x %3cSCRIPT>", "x <SCRIPT>"}, {"SCRIPT", "SCRIPT"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.pattern);
    const auto program = compile(std::string("SecRule ARGS \"@rx ") + each.pattern +
                                 "\" \"id:1,phase:2,pass,log,multiMatch,t:none,t:urlDecodeUni,t:lowercase\"");
    const auto plan = MatchPlan::build(*program, {});
    ASSERT_TRUE(plan);
    for (const bool planned : {false, true}) {
      Workspace workspace(*program, planned ? plan->get() : nullptr);
      Transaction transaction(workspace, SystemClock::instance());
      transaction.begin({});
      inspect(transaction, *parse_raw_request(get("/?a=x+%253cSCRIPT>")), nullptr);
      ASSERT_EQ(transaction.fired().size(), 1u);
      std::vector<std::string> values, matched;
      for (const RuleMatch& match : transaction.fired()[0].matches) {
        EXPECT_EQ(match.variable, "ARGS:a");
        values.push_back(match.value);
        matched.push_back(match.value.substr(match.offset, match.size));
      }
      EXPECT_EQ(values, each.values);
      EXPECT_EQ(matched, each.matched);
    }
  }
}

TEST(Engine, WhatIsCapturedDoesNotMoveUnderTheOperator) {
  const Outcome outcome = run(R"(
SecRule ARGS:q "@rx #.*" "id:1,phase:2,pass,capture,chain"
  SecRule TX:0 "@rx [a-z]+" "capture,setvar:'tx.seen=%{MATCHED_VAR}',chain"
  SecRule TX:seen "@streq #abc" "t:none")",
                              get("/?q=x%23abc"));
  EXPECT_EQ(outcome.fired, Ids{1});
}

TEST(Engine, TheQueryIsSplitOffBeforeAnythingIsDecoded) {
  // CVE-2024-1019
  const Outcome outcome =
      run(R"(SecRule REQUEST_FILENAME "@contains evil" "id:1,phase:1,pass,logdata:'%{MATCHED_VAR}'")",
          get("/path%3f/evil?x"));
  EXPECT_EQ(outcome.data, "/path?/evil");
}

TEST(Engine, TheResponseHasItsPhases) {
  RawResponse response{500, {{"Content-Type", "text/html"}, {"X-Powered-By", "PHP"}}, "ORA-00933: command not ended"};
  const Outcome outcome = run(R"(
SecRule RESPONSE_STATUS "@eq 500" "id:1,phase:3,pass"
SecRule RESPONSE_HEADERS:X-Powered-By "@pm php" "id:2,phase:3,pass"
SecRule RESPONSE_BODY "@rx ORA-\d+" "id:3,phase:4,deny,status:502"
SecAction "id:4,phase:5,pass")",
                              get("/"), &response);
  EXPECT_EQ(outcome.fired, (Ids{1, 2, 3, 4}));
  EXPECT_EQ(outcome.status, 502);
}

TEST(Engine, ArgumentsThatStayUnreadAreFlagged) {
  const std::string rules = R"(SecRule REQBODY_ERROR "@eq 1" "id:1,phase:2,deny,logdata:'%{REQBODY_ERROR_MSG}'")";
  std::string query = "/?a=1";
  for (int i = 1; i < 1000; ++i) query += "&a=1";
  EXPECT_EQ(run(rules, get(query)).fired, Ids{});
  const Outcome outcome = run(rules, get(query + "&evil=1"));
  EXPECT_EQ(outcome.stopped_by, 1u);
  EXPECT_EQ(outcome.data, "too many arguments");
}

TEST(Engine, AMediaTypeWithATailIsStillRead) {
  const std::string rules = R"(SecRule ARGS:q "@streq evil" "id:1,phase:2,deny")";
  for (const char* type : {"application/x-www-form-urlencoded", "Application/X-WWW-Form-urlencoded,x",
                           "application/x-www-form-urlencoded ;x"}) {
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: ";
    EXPECT_EQ(run(rules, head + type + "\r\nContent-Length: 6\r\n\r\nq=evil").stopped_by, 1u) << type;
  }
}

TEST(Engine, WhatXmlHoldsGoesByWhatWasAskedFor) {
  const std::string body = R"(<a id="evil">evil</a>)";
  const std::string request =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: text/xml\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n" + body;
  EXPECT_EQ(
      run(R"(SecRule XML:/*|XML://@* "@streq evil" "id:1,phase:2,pass,logdata:'%{MATCHED_VAR_NAME}'")", request).data,
      "XML://@*");
  const std::string rules = R"(
SecAction "id:1,phase:1,pass,nolog,ctl:ruleRemoveTargetById=2;XML:/*"
SecRule XML:/*|XML://@* "@streq evil" "id:2,phase:2,pass,logdata:'%{MATCHED_VAR_NAME}'")";
  EXPECT_EQ(run(rules, request).fired, (Ids{1, 2}));
}

TEST(Engine, AnAuthorityHasNoBasename) {
  const std::string rules = R"(SecRule REQUEST_BASENAME "@rx \.([^.]+)$" "id:1,phase:1,pass")";
  EXPECT_EQ(run(rules, "CONNECT shop.com HTTP/1.1\r\nHost: shop.com\r\n\r\n").fired, Ids{});
  EXPECT_EQ(run(rules, get("/a.b/c.com")).fired, Ids{1});
}

TEST(Engine, WithoutABodyTheProcessorIsEmptyNotAbsent) {
  EXPECT_EQ(run(R"(SecRule REQBODY_PROCESSOR "!@rx URLENCODED|JSON" "id:1,phase:1,pass")", get("/")).fired, Ids{1});
}

TEST(Engine, ASecondContentTypeDoesNotHideTheBody) {
  const std::string rules = R"(SecRule ARGS:q "@streq evil" "id:1,phase:2,deny")";
  EXPECT_EQ(run(rules,
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Type: x/y\r\n"
                "Content-Length: 6\r\n\r\nq=evil")
                .stopped_by,
            1u);
}

TEST(Engine, AScoreDoesNotWrapAround) {
  const Outcome outcome = run(R"(
SecAction "id:1,phase:1,pass,setvar:tx.s=9223372036854775807,setvar:tx.s=+1"
SecRule TX:s "@gt 0" "id:2,phase:1,pass")",
                              get("/"));
  EXPECT_EQ(outcome.fired, (Ids{1, 2}));
}

TEST(Engine, APatternAtItsLimitCountsAsAMatch) {
  const auto program = compile(R"(SecRule ARGS "@rx ^(a+)+$" "id:1,phase:2,deny")");
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  transaction.begin({});
  inspect(transaction, *parse_raw_request(get("/?a=" + std::string(64, 'a') + "b")), nullptr);
  ASSERT_EQ(transaction.fired().size(), 1u);
  EXPECT_TRUE(transaction.fired().front().limit_reached);
}

// Once: what is behind it in the chain may ask for what it captures, and giving up must not be a way around that.
TEST(Engine, BehindAPatternAtItsLimitTheChainCountsAsMatched) {
  const auto program = compile(R"(
SecRule ARGS "@rx ^((?:a+)+)$" "id:1,phase:2,deny,capture,chain"
  SecRule TX:1 "@streq b" "setvar:tx.s=+5"
SecRule TX:s "@eq 5" "id:2,phase:2,pass")");
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  transaction.begin({.engine = EngineMode::detection_only});
  inspect(transaction, *parse_raw_request(get("/?a=" + std::string(64, 'a') + "b")), nullptr);
  ASSERT_EQ(transaction.fired().size(), 2u);
  EXPECT_TRUE(transaction.fired().front().limit_reached);
  EXPECT_FALSE(transaction.fired().back().limit_reached);
}

// Nor may a name that keeps a target's pattern busy hide its value, or let one off.
TEST(Engine, ANameThatKeepsATargetsPatternBusyIsInspected) {
  const Outcome outcome = run(R"(
SecRule ARGS:/^(a+)+$/ "@streq evil" "id:1,phase:2,pass"
SecRule ARGS|!ARGS:/^(a+)+$/ "@streq evil" "id:2,phase:2,pass"
SecRule ARGS:/^(a+)+$/ "@streq evil" "id:3,phase:2,pass,ctl:ruleRemoveById=4"
SecRule ARGS "@streq evil" "id:4,phase:2,pass"
SecRule ARGS:/^(a+)+$/ "@streq other" "id:5,phase:2,pass")",
                              get("/?" + std::string(64, 'a') + "b=evil"));
  EXPECT_EQ(outcome.fired, (Ids{1, 2, 4}));
}

// A way to switch rules off must not open to whoever keeps its pattern busy.
TEST(Engine, APatternAtItsLimitLetsNothingOff) {
  for (const char* effect : {"ctl:ruleEngine=Off", "ctl:ruleRemoveById=2", "allow"}) {
    const auto program = compile(fmt::format(R"(
SecRule ARGS "@rx ^(a+)+$" "id:1,phase:2,{},nolog,chain"
  SecRule REQUEST_METHOD "@streq GET" "t:none{}"
SecRule ARGS "@contains b" "id:2,phase:2,deny")",
                                             effect == std::string_view("allow") ? "allow" : "pass",
                                             effect == std::string_view("allow") ? "" : "," + std::string(effect)));
    Workspace workspace(*program, nullptr);
    Transaction transaction(workspace, SystemClock::instance());
    transaction.begin({});
    inspect(transaction, *parse_raw_request(get("/?a=" + std::string(64, 'a') + "b")), nullptr);
    ASSERT_EQ(transaction.fired().size(), 1u) << effect;
    EXPECT_EQ(transaction.fired().front().id, 2u) << effect;
  }
}

TEST(Engine, AnUnknownPatternIsAnErrorWithItsPlace) {
  ParseResult parsed =
      parse_rules(std::vector<RuleSource>{{"test.conf", "\nSecRule ARGS \"@rx (\" \"id:1,phase:2,deny\""}});
  ASSERT_TRUE(parsed.errors.empty());
  const Program::Compiled compiled = Program::compile(std::move(parsed.rules));
  EXPECT_FALSE(compiled.program);
  ASSERT_EQ(compiled.errors.size(), 1u);
  EXPECT_EQ(compiled.errors.front().position.line, 2u);
}

// What a gateway shows beside what came: rules that take the target apart see what the upstream will get.
TEST(Engine, TheTargetAsItCameAndAsItGoesUpstream) {
  const auto program = compile(R"(
SecRule REQUEST_URI_RAW "@streq /x/..//%61dmin?a=1" "id:1,phase:1,pass"
SecRule REQUEST_LINE "@streq GET /x/..//%61dmin?a=1 HTTP/1.1" "id:2,phase:1,pass"
SecRule REQUEST_URI "@streq /admin?a=1" "id:3,phase:1,pass"
SecRule REQUEST_FILENAME "@streq /admin" "id:4,phase:1,pass"
SecRule REQUEST_BASENAME "@streq admin" "id:5,phase:1,pass"
SecRule ARGS:a "@streq 1" "id:6,phase:1,pass"
)");
  ASSERT_TRUE(program);
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  transaction.begin({});
  transaction.request_line("GET", "/x/..//%61dmin?a=1", "/admin?a=1", "HTTP/1.1");
  transaction.run(1);
  Ids fired;
  for (const FiredRule& rule : transaction.fired()) fired.push_back(rule.id);
  EXPECT_EQ(fired, (Ids{1, 2, 3, 4, 5, 6}));
}

// RFC 3986 knows no other meaning of `+` in a path than itself.
TEST(Engine, APlusInAPathIsAPlus) {
  const std::string rules = R"(SecRule REQUEST_FILENAME "@streq /a+b c%zz+" "id:1,phase:1,pass"
SecRule REQUEST_BASENAME "@streq a+b c%zz+" "id:2,phase:1,pass"
SecRule ARGS:q "@streq 1 2" "id:3,phase:1,pass")";
  EXPECT_EQ(run(rules, "GET /a+b%20c%zz+?q=1+2 HTTP/1.1\r\n\r\n").fired, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Engine, ARuleTellsWhatItAddedToTheScore) {
  const auto program = compile(R"(
SecAction "id:1,phase:1,pass,nolog,setvar:tx.critical=5,setvar:tx.anomaly_score_pl1=0,setvar:tx.other_score=+9"
SecRule ARGS "@contains x" "id:2,phase:1,pass,setvar:'tx.anomaly_score_pl1=+%{tx.critical}',setvar:tx.sql_score=+5"
SecRule ARGS:a "@contains x" "id:3,phase:1,pass,chain"
  SecRule ARGS:b "@contains x" "setvar:tx.inbound_anomaly_score_pl2=+3"
SecRule ARGS:a "@contains x" "id:4,phase:1,pass,chain,setvar:tx.anomaly_score_pl1=+3"
  SecRule ARGS:b "@contains no" "setvar:tx.anomaly_score_pl1=+3"
SecAction "id:5,phase:1,pass"
)");
  ASSERT_TRUE(program);
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  for (int round = 0; round < 2; ++round) {
    transaction.begin({});
    transaction.request_line("GET", "/?a=x&b=x", "HTTP/1.1");
    transaction.run(1);
    const auto& fired = transaction.fired();
    ASSERT_EQ(fired.size(), 4u);
    const std::vector<std::array<int, 3>> expected{{1, 0, 0}, {2, 10, 1}, {3, 3, 2}, {5, 0, 0}};
    for (std::size_t i = 0; i < fired.size(); ++i) {
      EXPECT_EQ((std::array<int, 3>{int(fired[i].id), fired[i].score, fired[i].score_level}), expected[i]);
    }
  }
}

TEST(Engine, ABodyKnownToGoOnIsNoError) {
  const auto program = compile(R"(
SecRule REQBODY_ERROR "!@eq 0" "id:1,phase:2,pass"
SecRule MULTIPART_STRICT_ERROR "!@eq 0" "id:2,phase:2,pass"
SecRule ARGS "@contains bad" "id:3,phase:2,pass"
)");
  ASSERT_TRUE(program);
  Workspace workspace(*program, nullptr);
  Transaction transaction(workspace, SystemClock::instance());
  struct Case {
    const char* type;
    const char* body;
    Ids fired;
  };
  for (const Case& c : {Case{"application/json", R"({"a": "bad", "b": "goo)", {1, 3}}, Case{"text/xml", "<a><b>", {1}},
                        Case{"multipart/form-data; boundary=x",
                             "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nbad\r\n--x\r\nContent-Disp",
                             {1, 2, 3}}}) {
    for (const bool complete : {true, false}) {
      transaction.begin({});
      transaction.request_line("POST", "/", "HTTP/1.1");
      transaction.request_header("content-type", c.type);
      transaction.run(1);
      transaction.request_body(c.body, complete);
      transaction.run(2);
      Ids fired, expected = c.fired;
      for (const FiredRule& rule : transaction.fired()) fired.push_back(rule.id);
      if (!complete) std::erase_if(expected, [](std::uint64_t id) { return id < 3; });
      EXPECT_EQ(fired, expected) << c.type;
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
