#pragma once
// Runs regression tests (suite.h) against a rule set, offline.
//
// A test's log is what the rules said: one line for each that fired, in the form of ModSecurity's error log, which the
// suites' patterns are written for. The back end is played: it answers `/reflect` with the status, headers and body
// that the JSON in the request asks for, and everything else with an empty 200.

#include <functional>
#include <string>
#include <vector>

#include "waf/engine/transaction.h"
#include "waf/regression/suite.h"

namespace gatehouse::waf {

struct TestVerdict {
  enum class Kind : std::uint8_t { passed, failed, skipped };
  Kind kind = Kind::passed;
  std::string reason;                // of a failure or a skip
  std::vector<std::uint64_t> fired;  // by the last stage
};

// Whether the gateway's own parser refuses these bytes before any rule sees them; the suites call it status 400.
using RefusedByParser = std::function<bool(const RawRequest&)>;

class RegressionRunner {
 public:
  RegressionRunner(const Program& program, const MatchPlan* plan, Transaction::Settings settings,
                   RefusedByParser refused);
  TestVerdict run(const RegressionTest& test);

 private:
  std::string failure_of(const RegressionTest& test, const RegressionStage& stage);

  const Program& program_;
  Workspace workspace_;
  Transaction transaction_;
  Transaction::Settings settings_;
  RefusedByParser refused_;
};

// Rule 900005 of the suite's documentation: what its tests assume.
extern const std::string_view kRegressionSetUp;

// A body is what the framing fields say: without them there is none, and not more than Content-Length tells.
RawRequest framed(RawRequest request);

// `/reflect` answers with what the JSON in the request asks for, everything else with an empty 200.
RawResponse played_back_end(const RawRequest& request);

// One rule that fired, as ModSecurity's error log has it.
std::string log_line(const Program& program, const FiredRule& fired);

}  // namespace gatehouse::waf
