// Whatever a request's bytes: all phases end, what fired is within its bounds and points into its evidence, and rules
// fire with the plan as they do without it. The rules have every kind of target, operator, transformation, chain and
// action that matters to how the engine walks a request; a zero byte splits the request from an upstream's answer.
#include <algorithm>
#include <string>
#include <string_view>

#include "base/check.h"
#include "waf/differential/fuzzed_exchange_for_tests.h"
#include "waf/engine/fuzz_checks_for_tests.h"
#include "waf/engine/rule_engine.h"
#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace {

using namespace gatehouse::waf;

constexpr const char* kRules = R"x(
SecAction "id:1,phase:1,pass,nolog,setvar:tx.score=0,setvar:tx.limit=3"
SecRule REQUEST_HEADERS:Content-Type "@rx ^text/force" "id:2,phase:1,pass,nolog,ctl:forceRequestBodyVariable=On"
SecRule REQUEST_HEADERS:X-Processor "@streq json" "id:3,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQUEST_HEADERS:X-Processor "@streq xml" "id:4,phase:1,pass,nolog,ctl:requestBodyProcessor=XML"
SecRule REQUEST_FILENAME "@beginsWith /quiet" "id:5,phase:1,pass,nolog,ctl:ruleRemoveTargetById=20;ARGS:/^a/,ctl:ruleRemoveById=30-31"
SecRule REQUEST_URI|REQUEST_URI_RAW|REQUEST_LINE|QUERY_STRING "@validateUrlEncoding" "id:10,phase:1,pass,msg:'escape'"
SecRule REQUEST_HEADERS|!REQUEST_HEADERS:Cookie|REQUEST_COOKIES|REQUEST_COOKIES_NAMES "@validateByteRange 32-126" "id:11,phase:1,pass,t:none,t:urlDecodeUni,setvar:tx.score=+1"
SecRule &REQUEST_HEADERS:Host "!@eq 1" "id:12,phase:1,pass"
SecRule REQUEST_METHOD "!@within GET HEAD POST" "id:13,phase:1,pass,skipAfter:ODD"
SecRule REQUEST_BASENAME "@rx \.([^.]+)$" "id:14,phase:1,pass,capture,setvar:'tx.extension=.%{tx.1}/',chain"
  SecRule TX:extension "@within .bak/ .sql/" "t:lowercase"
SecMarker ODD
SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES|XML:/*|XML://@* "@rx (?i)\bunion\b.{1,40}?\bselect\b" "id:20,phase:2,pass,capture,t:none,t:urlDecodeUni,t:replaceComments,t:compressWhitespace,multiMatch,logdata:'%{TX.0} in %{MATCHED_VAR_NAME}: %{MATCHED_VAR}',setvar:tx.score=+%{tx.limit}"
SecRule ARGS|XML:/* "@detectSQLi" "id:21,phase:2,pass,t:none,t:utf8toUnicode,t:urlDecodeUni,t:removeNulls"
SecRule ARGS|REQUEST_HEADERS:User-Agent|XML://@* "@detectXSS" "id:22,phase:2,pass,t:none,t:htmlEntityDecode,t:jsDecode,t:cssDecode"
SecRule ARGS|FILES|MULTIPART_PART_HEADERS|REQUEST_BODY "@pm <script ../ etc/passwd boot.ini" "id:23,phase:2,pass,t:none,t:normalizePathWin,t:lowercase"
SecRule ARGS "@rx ^(?:a+)+$" "id:24,phase:2,pass"
SecRule ARGS "@rx [;|`]\s*(\w+)" "id:25,phase:2,pass,capture,t:none,t:cmdLine,chain"
  SecRule TX:1 "@pm cat id whoami" "chain"
    SecRule MATCHED_VARS "!@streq cat" "setvar:'tx.rce_%{MATCHED_VAR_NAME}=%{MATCHED_VAR}'"
SecRule ARGS "@rx ^(?:[A-Za-z0-9+/]{4}){2,}=*$" "id:26,phase:2,pass,t:none,t:base64Decode,t:hexEncode,t:length"
SecRule TX:/^rce_/ "@rx ." "id:27,phase:2,pass"
SecRule REQBODY_ERROR|MULTIPART_STRICT_ERROR "!@eq 0" "id:30,phase:2,pass,logdata:'%{REQBODY_ERROR_MSG}'"
SecRule ARGS_COMBINED_SIZE|FILES_COMBINED_SIZE|REQUEST_BODY_LENGTH "@gt 64" "id:31,phase:2,pass"
SecRule ARGS:/^(?:x|y)/ "@validateUtf8Encoding" "id:32,phase:2,pass"
SecRule REMOTE_ADDR "@ipMatch 127.0.0.0/8,::1" "id:33,phase:2,pass,nolog"
SecRule TX:score "@ge %{tx.limit}" "id:40,phase:2,deny,status:403,msg:'score %{tx.score}'"
SecRule RESPONSE_STATUS|RESPONSE_HEADERS "@rx ^5\d\d$|php" "id:50,phase:3,pass"
SecRule RESPONSE_BODY "@pm ORA- mysql_ Exception" "id:51,phase:4,deny,status:502"
SecRule ARGS:key "!@streq never" "id:52,phase:2,pass,nolog,initcol:ip=%{MATCHED_VAR},setvar:ip.n=+1"
SecRule ARGS "@rx ^." "id:53,phase:2,pass,nolog,setvar:ip.%{MATCHED_VAR_NAME}=+%{MATCHED_VAR},\
  setvar:ip.last=%{MATCHED_VAR},expirevar:ip.%{MATCHED_VAR}=%{ARGS.seconds}"
SecRule IP|!IP:n "@rx ^-?\d+$" "id:54,phase:5,pass,setvar:!ip.%{MATCHED_VAR},logdata:'%{ip.n} %{ip.last}'"
SecRule &IP "@gt 1" "id:55,phase:5,pass"
SecRule TX:score "@gt 0" "id:60,phase:5,pass,logdata:'%{tx.score} %{DURATION}'"
)x";

struct Engine {
  RuleEngine rules;
  std::unique_ptr<Workspace> plain_work, planned_work;
  std::unique_ptr<Transaction> plain, planned;

  Engine() {
    ParseResult parsed = parse_rules(std::vector<RuleSource>{{"fuzz.conf", kRules}});
    GH_CHECK(parsed.errors.empty());
    Program::Compiled compiled = Program::compile(std::move(parsed.rules));
    GH_CHECK(compiled.program);
    rules.program = std::move(compiled.program);
    auto plan = MatchPlan::build(*rules.program, {});
    GH_CHECK(plan);
    rules.plan = std::move(*plan);
    plain_work = std::make_unique<Workspace>(*rules.program, nullptr);
    planned_work = std::make_unique<Workspace>(rules);
    plain = std::make_unique<Transaction>(*plain_work, gatehouse::SystemClock::instance());
    planned = std::make_unique<Transaction>(*planned_work, gatehouse::SystemClock::instance());
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Engine engine;
  const auto exchange = fuzzed_exchange({reinterpret_cast<const char*>(data), size});
  if (!exchange) return 0;
  for (Transaction* transaction : {engine.plain.get(), engine.planned.get()}) {
    gatehouse::FakeClock clock;
    MemoryCollections kept(clock);
    for (int time = 0; time < 2; ++time) {  // the second time with what the first left
      transaction->begin({.engine = EngineMode::detection_only, .arguments_max = 200, .collections = &kept});
      inspect(*transaction, exchange->request, &exchange->response);
      check_bounds(*transaction);
      clock.advance(std::chrono::seconds(1));
    }
    const MemoryCollections::Statistics statistics = kept.statistics();
    GH_CHECK(statistics.bytes <= statistics.records * MemoryCollections::kRecordBytesMax);
  }
  if (check_same(*engine.plain, *engine.planned)) GH_CHECK(engine.plain->tx("score") == engine.planned->tx("score"));
  return 0;
}
