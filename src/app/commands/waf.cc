#include "app/commands/waf.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "http/http1_parser.h"
#include "waf/engine/blind_rules.h"
#include "waf/engine/program.h"
#include "waf/match/match_plan.h"
#include "waf/regression/raw_request.h"
#include "waf/regression/runner.h"
#include "waf/regression/suite.h"
#include "waf/seclang/parser.h"

namespace gatehouse::app {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::size_t kRequestBytesMax = 64 * 1024 * 1024;

int say(const std::string& message) {
  std::fprintf(stderr, "gatehouse waf: %s\n", message.c_str());
  return 2;
}

std::unique_ptr<const waf::Program> load_rules(const WafOptions& options, bool with_suite_set_up) {
  std::vector<waf::RuleSource> sources;
  if (!options.setup.empty()) {
    sources.push_back({options.setup, {}});
  } else if (with_suite_set_up) {
    sources.push_back({"the suite's set-up", std::string(waf::kRegressionSetUp)});
  }
  for (waf::RuleSource& source : waf::rule_sources(options.rules)) sources.push_back(std::move(source));
  waf::ParseResult parsed = waf::parse_rules(sources);
  for (const waf::Finding& error : parsed.errors) std::fprintf(stderr, "%s\n", to_string(error, parsed.rules).c_str());
  if (!parsed.errors.empty()) return nullptr;
  waf::Program::Compiled compiled = waf::Program::compile(std::move(parsed.rules));
  for (const waf::Finding& error : compiled.errors) {
    std::fprintf(stderr, "%s\n", to_string(error, compiled.rules).c_str());
  }
  if (compiled.program) {
    const waf::RuleSet& rules = compiled.program->source();
    for (const waf::Finding& blind : waf::blind_rules(rules))
      std::fprintf(stderr, "warning: %s\n", to_string(blind, rules).c_str());
  }
  return std::move(compiled.program);
}

// Only with a place to keep it: compiling the patterns anew would cost more than the plain way for one request.
std::unique_ptr<const waf::MatchPlan> load_plan(const WafOptions& options, const waf::Program& program) {
  if (options.cache.empty()) return nullptr;
  waf::MatchPlan::BuildOptions build;
  build.cache_file = options.cache;
  build.threads = std::max(1u, std::thread::hardware_concurrency());
  if (::isatty(STDERR_FILENO) == 1) {
    build.progress = [](std::size_t done, std::size_t total) {
      std::fprintf(stderr, "\rcompiling the rules' patterns: %zu%%%s", done * 100 / total,
                   done == total ? "\r\x1b[K" : "");
    };
  }
  auto plan = waf::MatchPlan::build(program, build);
  if (!plan) {
    say(plan.error().message);
    return nullptr;
  }
  return std::move(*plan);
}

waf::Transaction::Settings settings_of(const waf::Program& program, waf::PersistentCollections& collections) {
  waf::Transaction::Settings settings;
  settings.collections = &collections;
  const waf::RuleSettings& rules = program.source().settings;
  settings.engine = rules.engine.value_or(waf::EngineMode::on);
  settings.request_body_access = rules.request_body_access.value_or(true);
  if (rules.request_body_json_depth_limit) settings.json_depth_max = *rules.request_body_json_depth_limit;
  if (rules.arguments_limit) settings.arguments_max = *rules.arguments_limit;
  return settings;
}

// The gateway's own judgement on a head, before any rule.
bool is_refused(const waf::RawRequest& request) {
  Arena arena;
  http::Http1Request parsed;
  return http::parse_request_head(request.text(), {}, arena, parsed).status != http::ParseStatus::complete;
}

// --- try -------------------------------------------------------------------------------------------------------------

// Bytes that are no UTF-8 are shown as U+FFFD.
std::string printed(const json& value) { return value.dump(2, ' ', false, json::error_handler_t::replace); }

json to_json(const waf::Program& program, const waf::FiredRule& fired) {
  const waf::Actions& actions = program.rule(fired.index).source->actions;
  const waf::Position& position = program.rule(fired.index).source->position;
  static constexpr const char* kSeverities[] = {"emergency", "alert",  "critical", "error",
                                                "warning",   "notice", "info",     "debug"};
  json rule{{"id", fired.id}, {"phase", fired.phase}, {"logged", fired.logged}};
  if (!fired.message.empty()) rule["message"] = fired.message;
  if (!fired.data.empty()) rule["data"] = fired.data;
  if (actions.severity != waf::Severity::unset)
    rule["severity"] = kSeverities[static_cast<std::size_t>(actions.severity)];
  if (!actions.tags.empty()) rule["tags"] = actions.tags;
  if (fired.limit_reached) rule["limit_reached"] = true;
  rule["at"] = fmt::format("{}:{}", program.source().files[position.file], position.line);
  for (const waf::RuleMatch& match : fired.matches) {
    rule["matches"].push_back({{"variable", match.variable},
                               {"value", match.value},
                               {"matched", match.value.substr(match.offset, match.size)}});
  }
  return rule;
}

json to_json(const waf::Program& program, const waf::Transaction& transaction) {
  json out;
  const waf::Interruption* stopped = transaction.interruption();
  const bool acts = stopped && stopped->acts;
  out["verdict"] = acts ? "deny" : "pass";
  out["mode"] = transaction.mode() == waf::EngineMode::on    ? "enforce"
                : transaction.mode() == waf::EngineMode::off ? "off"
                                                             : "monitor";
  if (stopped) out["interruption"] = {{"rule", stopped->rule_id}, {"status", stopped->status}};
  out["rules"] = json::array();
  for (const waf::FiredRule& fired : transaction.fired()) {
    if (fired.logged || !fired.message.empty()) out["rules"].push_back(to_json(program, fired));
  }
  out["scores"] = json::object();
  for (const std::string& name : program.tx_names()) {
    const std::string_view value = transaction.tx(name);
    if (name.find("score") != std::string::npos && !value.empty()) out["scores"][name] = waf::number_of(value);
  }
  for (std::size_t phase = 1; phase <= waf::Program::kPhases; ++phase) {
    out["ns"][std::to_string(phase)] = transaction.spent(phase).count();
  }
  return out;
}

// --- test ------------------------------------------------------------------------------------------------------------

bool find_tests(const std::string& path, std::vector<std::string>& out) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    out.push_back(path);
    return !error && fs::exists(path);
  }
  for (const auto& entry : fs::recursive_directory_iterator(path, error)) {
    const std::string extension = entry.path().extension();
    if (extension == ".yaml" || extension == ".yml") out.push_back(entry.path());
  }
  return !error;
}

class Progress {
 public:
  explicit Progress(std::size_t total) : total_(total), shown_(::isatty(STDERR_FILENO) == 1) {}
  ~Progress() {
    if (shown_) std::fprintf(stderr, "\r\x1b[K");
  }
  void step(std::size_t failed) {
    ++done_;
    if (!shown_ || (done_ % 50 != 0 && done_ != total_)) return;
    constexpr std::size_t kWidth = 40;
    const std::size_t full = done_ * kWidth / total_;
    std::fprintf(stderr, "\r[%s%s] %zu/%zu, %zu failed", std::string(full, '#').c_str(),
                 std::string(kWidth - full, ' ').c_str(), done_, total_, failed);
  }

 private:
  std::size_t total_, done_ = 0;
  bool shown_;
};

}  // namespace

void WafOptions::take_tests_from_rules() {
  const auto is_test = [](const std::string& path) {
    std::error_code error;
    return path.ends_with(".yaml") || path.ends_with(".yml") || fs::is_directory(path, error);
  };
  const auto first =
      std::stable_partition(rules.begin(), rules.end(), [&](const std::string& path) { return !is_test(path); });
  tests.insert(tests.begin(), first, rules.end());
  rules.erase(first, rules.end());
}

int run_waf_try(const WafOptions& options) {
  const auto program = load_rules(options, false);
  if (!program) return say("the rules have mistakes");
  std::string text;
  if (options.request.empty() || options.request == "-") {
    text.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    auto file = read_file(options.request, kRequestBytesMax);
    if (!file) return say(file.error().message);
    text = std::move(*file);
  }
  const auto request = waf::parse_raw_request(text);
  if (!request) return say("that is no HTTP request: its first line is to be `METHOD target HTTP/1.1`");
  const auto plan = load_plan(options, *program);
  waf::Workspace workspace(*program, plan.get());
  waf::Transaction transaction(workspace, SystemClock::instance());
  waf::MemoryCollections collections(SystemClock::instance());
  transaction.begin(settings_of(*program, collections));
  inspect(transaction, *request, nullptr);
  std::puts(printed(to_json(*program, transaction)).c_str());
  return 0;
}

int run_waf_test(const WafOptions& options) {
  if (options.tests.empty()) return say("no tests are named: give files or folders behind the rules");
  const auto program = load_rules(options, true);
  if (!program) return say("the rules have mistakes");
  std::vector<std::string> files;
  for (const std::string& path : options.tests) {
    if (!find_tests(path, files)) return say(path + ": no such file or folder");
  }
  std::sort(files.begin(), files.end());
  std::vector<waf::RegressionTest> tests;
  bool unreadable = false;
  for (const std::string& file : files) {
    auto read = waf::read_regression_tests(file);
    if (!read) {
      say(read.error().message);
      unreadable = true;
      continue;
    }
    std::move(read->begin(), read->end(), std::back_inserter(tests));
  }
  if (unreadable) return 2;

  const auto plan = load_plan(options, *program);
  waf::MemoryCollections collections(SystemClock::instance());  // as a server would, from one test to the next
  waf::RegressionRunner runner(*program, plan.get(), settings_of(*program, collections), is_refused);
  std::size_t counts[3] = {};
  json list = json::array();
  {
    Progress progress(tests.size());
    for (const waf::RegressionTest& test : tests) {
      const waf::TestVerdict verdict = runner.run(test);
      static constexpr const char* kNames[] = {"passed", "failed", "skipped"};
      ++counts[static_cast<std::size_t>(verdict.kind)];
      progress.step(counts[1]);
      if (options.json) {
        json entry{{"test", test.name},
                   {"file", test.file},
                   {"verdict", kNames[static_cast<std::size_t>(verdict.kind)]},
                   {"fired", verdict.fired}};
        if (!verdict.reason.empty()) entry["reason"] = verdict.reason;
        list.push_back(std::move(entry));
      } else if (verdict.kind != waf::TestVerdict::Kind::passed) {
        std::printf("%s %s: %s\n", kNames[static_cast<std::size_t>(verdict.kind)], test.name.c_str(),
                    verdict.reason.c_str());
      }
    }
  }
  if (options.json) {
    std::puts(
        printed({{"passed", counts[0]}, {"failed", counts[1]}, {"skipped", counts[2]}, {"tests", std::move(list)}})
            .c_str());
  } else {
    std::printf("%zu passed, %zu failed, %zu skipped\n", counts[0], counts[1], counts[2]);
  }
  return counts[1] > 0 ? 1 : 0;
}

}  // namespace gatehouse::app
