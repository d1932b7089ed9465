// The Core Rule Set's own regression tests, run as `gatehouse waf test` runs them.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "waf/regression/runner.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

std::unique_ptr<const Program> program_of(std::vector<RuleSource> sources) {
  ParseResult parsed = parse_rules(sources);
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  Program::Compiled compiled = Program::compile(std::move(parsed.rules));
  for (const Finding& error : compiled.errors) ADD_FAILURE() << to_string(error, compiled.rules);
  return std::move(compiled.program);
}

std::vector<RegressionTest> tests_in(const std::filesystem::path& folder) {
  std::vector<RegressionTest> result;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    auto tests = read_regression_tests(entry.path());
    if (!tests) {
      ADD_FAILURE() << tests.error().message;
      continue;
    }
    std::move(tests->begin(), tests->end(), std::back_inserter(result));
  }
  return result;
}

std::vector<RuleSource> with_set_up() {
  std::vector<RuleSource> sources{{"the suite's set-up", std::string(kRegressionSetUp)}};
  for (const RuleSource& source : crs_main()) sources.push_back(source);
  return sources;
}

// Everything that the parser of the gateway refuses is refused here, too; whether it does is http1_parser_test's.
bool refused(const RawRequest&) { return true; }

TEST(CoreRuleSet, PassesItsOwnRegressionTests) {
  const auto folder = crs_main_folder();
  if (!folder || !std::filesystem::exists(*folder / "tests")) GTEST_SKIP() << "the Core Rule Set is not here";
  const auto program = program_of(with_set_up());
  ASSERT_TRUE(program);
  RegressionRunner runner(*program, nullptr, {}, refused);
  std::size_t run = 0;
  for (const RegressionTest& test : tests_in(*folder / "tests")) {
    const TestVerdict verdict = runner.run(test);
    EXPECT_EQ(verdict.kind, TestVerdict::Kind::passed) << test.name << ": " << verdict.reason;
    ++run;
  }
  EXPECT_GT(run, 4000u);
}

}  // namespace
}  // namespace gatehouse::waf
