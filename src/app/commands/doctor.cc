#include "app/commands/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "app/commands/doctor_checks.h"

namespace gatehouse::app {
namespace {

using State = Examination::State;

std::string_view name_of(State state) {
  switch (state) {
    case State::good: return "ok";
    case State::warning: return "warning";
    case State::bad: return "failed";
    case State::skipped: return "skipped";
  }
  return "";
}

std::string_view colour_of(State state) {
  switch (state) {
    case State::good: return "\x1b[32m";
    case State::warning: return "\x1b[33m";
    case State::bad: return "\x1b[1;31m";
    case State::skipped: return "\x1b[2m";
  }
  return "";
}

void examine_configuration(const LoadOutcome& outcome, std::vector<Examination>& found) {
  const auto errors = std::count_if(outcome.diagnostics.begin(), outcome.diagnostics.end(),
                                    [](const Diagnostic& d) { return d.severity == Severity::error; });
  if (outcome.ok()) {
    found.push_back(
        {"configuration", "valid", State::good,
         fmt::format("{} (listeners: {}, services: {}, routes: {})", outcome.file, outcome.config->listeners.size(),
                     outcome.config->services.size(), outcome.config->routes.size()),
         ""});
    return;
  }
  const Diagnostic& first = outcome.diagnostics.front();
  found.push_back({"configuration", "valid", State::bad,
                   first.position.line == 0
                       ? first.message
                       : fmt::format("{} error{}; the first: {}:{}:{}: {}", errors, errors == 1 ? "" : "s", first.file,
                                     first.position.line, first.position.column, first.message),
                   first.position.line == 0 ? first.hint : fmt::format("gatehouse check -c {}", outcome.file)});
}

}  // namespace

std::vector<Examination> examine(const LoadOutcome& outcome, const DoctorOptions& options, const Clock& clock) {
  std::vector<Examination> found;
  examine_configuration(outcome, found);
  if (outcome.ok()) {
    examine_files(outcome, clock, found);
    examine_ports(*outcome.config, outcome.file, found);
    examine_upstreams(*outcome.config, options, found);
  }
  examine_system(outcome.config.get(), clock, found);
  return found;
}

std::string to_text(const std::vector<Examination>& examinations, bool colour) {
  std::string out, group;
  std::size_t bad = 0, warnings = 0;
  for (const Examination& e : examinations) {
    if (e.group != group) out += fmt::format("{}{}\n", group.empty() ? "" : "\n", e.group);
    group = e.group;
    out += fmt::format("  {}{:<8}{} {}: {}\n", colour ? colour_of(e.state) : "", name_of(e.state),
                       colour ? "\x1b[0m" : "", e.name, e.detail);
    if (!e.fix.empty()) out += fmt::format("           fix: {}\n", e.fix);
    bad += e.state == State::bad ? 1 : 0;
    warnings += e.state == State::warning ? 1 : 0;
  }
  return out + fmt::format("\n{} checks, {} failed, {} warning{}\n", examinations.size(), bad, warnings,
                           warnings == 1 ? "" : "s");
}

std::string to_json(const std::vector<Examination>& examinations) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Examination& e : examinations) {
    list.push_back(
        {{"group", e.group}, {"name", e.name}, {"state", name_of(e.state)}, {"detail", e.detail}, {"fix", e.fix}});
  }
  return list.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

int run_doctor(const DoctorOptions& options) {
  const LoadOutcome outcome = load_config(options.config_path);
  const std::vector<Examination> found = examine(outcome, options, SystemClock::instance());
  std::fputs((options.json ? to_json(found) : to_text(found, wants_colour(STDOUT_FILENO))).c_str(), stdout);
  if (!outcome.ok()) return 2;
  return std::any_of(found.begin(), found.end(), [](const Examination& e) { return e.state == State::bad; }) ? 1 : 0;
}

}  // namespace gatehouse::app
