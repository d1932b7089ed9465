#pragma once
// `gatehouse waf`: a rule set tried offline, on one request or on regression tests.

#include <string>
#include <vector>

namespace gatehouse::app {

struct WafOptions {
  std::vector<std::string> rules;  // files and patterns of files, in order; `crs`: the installed OWASP Core Rule Set
  std::string setup;               // rules before all others; empty: of `test`, the suite's own
  std::string request;             // of `try`: a file with one HTTP request; empty or `-`: standard input
  std::vector<std::string> tests;  // of `test`: files, or folders that are searched
  std::string cache;               // where compiled patterns are kept; empty: rules are run one by one, without any
  bool json = false;

  // `--rules rules/*.conf tests/`: a pattern that the shell expanded makes all that follows look like rules. Tests are
  // YAML, or folders.
  void take_tests_from_rules();
};

// Prints what the rules make of one request, as JSON. 0: inspected, whatever the verdict; 2: rules or request not
// readable.
int run_waf_try(const WafOptions& options);
// 0: all passed; 1: some failed; 2: rules or tests not readable.
int run_waf_test(const WafOptions& options);

}  // namespace gatehouse::app
