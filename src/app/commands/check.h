#pragma once
// `gatehouse check`: is the file valid, and is what it says wise?

#include <string>

#include "app/config/diagnostic.h"
#include "base/clock.h"

namespace gatehouse::app {

struct CheckOptions {
  std::string config_path = "gatehouse.yaml";
  std::string format = "text";         // text | json | sarif
  Severity fail_on = Severity::error;  // findings of this severity or worse make it exit with 1
  bool look_at_files = true;           // off: judge a file away from the machine it is for
};

struct CheckReport {
  int exit_code = 0;  // 0 clean, 1 findings at `fail_on` or worse, 2 invalid
  std::string text;
};

CheckReport check(const CheckOptions& options, const Clock& clock, bool colour);
int run_check(const CheckOptions& options);  // prints it

}  // namespace gatehouse::app
