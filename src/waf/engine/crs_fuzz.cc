// The Core Rule Set under whatever a request's bytes: all phases end, what fired is within its bounds, and rules fire
// with the plan as they do without it. The rules are those that rules_for_tests.h finds; without any, nothing is tried.
//
// Some files of them, whose plan takes seconds to make; with GATEHOUSE_LONG=1 all, which takes minutes the first time.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/check.h"
#include "waf/differential/fuzzed_exchange_for_tests.h"
#include "waf/differential/plan_cache_for_tests.h"
#include "waf/engine/fuzz_checks_for_tests.h"
#include "waf/engine/rule_engine.h"
#include "waf/regression/runner.h"
#include "waf/rules_for_tests.h"

namespace {

using namespace gatehouse::waf;

RuleEngine load() {
  const bool is_long = std::getenv("GATEHOUSE_LONG") != nullptr;
  std::vector<RuleSource> sources = crs_main().empty() ? crs_debian() : crs_main();
  if (sources.empty()) {
    std::fprintf(stderr, "no Core Rule Set is here: nothing is tried\n");
    return {};
  }
  if (!is_long) sources = files_that_compile_in_seconds(sources);
  sources.insert(sources.begin(), {"the suite's set-up", std::string(kRegressionSetUp)});
  ParseResult parsed = parse_rules(sources);
  GH_CHECK(parsed.errors.empty());
  RuleEngine engine;
  engine.program = Program::compile(std::move(parsed.rules)).program;
  GH_CHECK(engine.program);
  MatchPlan::BuildOptions options;
  if (is_long) options.cache_file = plan_cache_file("fuzz_crs");
  auto plan = MatchPlan::build(*engine.program, options);
  GH_CHECK(plan);
  engine.plan = std::move(*plan);
  return engine;
}

struct UnderTest {
  RuleEngine engine = load();
  Workspace plain_work{*engine.program, nullptr}, planned_work{engine};
  Transaction plain{plain_work, gatehouse::SystemClock::instance()};
  Transaction planned{planned_work, gatehouse::SystemClock::instance()};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const bool is_here = !crs_main().empty() || !crs_debian().empty();
  if (!is_here) return 0;
  static UnderTest tested;
  const auto exchange = fuzzed_exchange({reinterpret_cast<const char*>(data), size});
  if (!exchange) return -1;  // not worth keeping
  for (Transaction* transaction : {&tested.plain, &tested.planned}) {
    gatehouse::FakeClock clock;
    MemoryCollections kept(clock);
    transaction->begin({.engine = EngineMode::detection_only, .collections = &kept});
    inspect(*transaction, exchange->request, &exchange->response);
    check_bounds(*transaction);
  }
  check_same(tested.plain, tested.planned);
  return 0;
}
