#include "app/commands/check.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "app/config/load.h"
#include "app/config/posture.h"
#include "app/process/privileges.h"

namespace gatehouse::app {
namespace {

std::string summary(const std::vector<Diagnostic>& found, const std::string& file, bool valid) {
  std::array<std::size_t, 3> counts{};
  for (const Diagnostic& d : found) ++counts[static_cast<std::size_t>(d.severity)];
  const auto plural = [](std::size_t n, std::string_view one) {
    return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s");
  };
  return fmt::format("{}: {}; {}, {}, {}\n", file, valid ? "valid" : "not valid", plural(counts[0], "error"),
                     plural(counts[1], "warning"), plural(counts[2], "note"));
}

std::string becomes(const gateway::Config& config) { return unprivileged_user(config.process.user); }

}  // namespace

CheckReport check(const CheckOptions& options, const Clock& clock, bool colour) {
  LoadOptions load_options;
  load_options.check_files = options.look_at_files;
  LoadOutcome outcome = load_config(options.config_path, std::move(load_options));
  std::vector<Diagnostic>& found = outcome.diagnostics;
  if (outcome.ok()) {
    std::vector<Diagnostic> posture = judge_posture(
        outcome, {options.look_at_files, clock, options.look_at_files ? becomes(*outcome.config) : std::string()});
    found.insert(found.end(), std::make_move_iterator(posture.begin()), std::make_move_iterator(posture.end()));
    sort_by_position(found);
  }
  const bool valid = std::none_of(found.begin(), found.end(), [](const Diagnostic& d) {
    return d.severity == Severity::error && d.id.starts_with("config.");
  });
  const bool failed =
      std::any_of(found.begin(), found.end(), [&](const Diagnostic& d) { return d.severity <= options.fail_on; });
  CheckReport report;
  report.exit_code = !valid ? 2 : failed ? 1 : 0;
  if (options.format == "json") {
    report.text = to_json(found, options.config_path);
  } else if (options.format == "sarif") {
    report.text = to_sarif(found, options.config_path);
  } else {
    report.text = to_text(found, outcome.source, colour) + summary(found, options.config_path, valid);
  }
  return report;
}

int run_check(const CheckOptions& options) {
  const CheckReport report = check(options, SystemClock::instance(), wants_colour(STDOUT_FILENO));
  std::fputs(report.text.c_str(), stdout);
  return report.exit_code;
}

}  // namespace gatehouse::app
