#pragma once
// Regression tests of rule sets in the format of go-ftw, which the OWASP Core Rule Set's own tests are written in.
//
// Values; reading a suite reads files, so control threads only. What a test asks for and we cannot give is told in
// `unsupported`, and the test is skipped, not passed.
// Source: https://github.com/coreruleset/ftw-tests-schema

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {

struct ExpectedLog {
  std::vector<std::uint64_t> ids, no_ids;  // rules that must have fired; that must not have
  std::string match, no_match;             // patterns over the log's lines; empty: none
};

struct RegressionStage {
  RawRequest request;
  bool encoded = false;  // the request was given as bytes
  std::optional<std::uint16_t> status;
  ExpectedLog log;
  bool expect_error = false;
};

struct RegressionTest {
  std::string file;
  std::string name;  // `942100-3`
  std::string description;
  bool isolated = false;  // no rules but the expected ones may fire
  std::vector<RegressionStage> stages;
  std::string unsupported;
};

Result<std::vector<RegressionTest>> read_regression_tests(const std::string& path);
Result<std::vector<RegressionTest>> parse_regression_tests(std::string_view text, std::string_view file);

}  // namespace gatehouse::waf
