#pragma once
// The rules of a configuration, read and compiled: once for the same bytes, whatever reloads come.
//
// Control threads only, one at a time: reading takes tens of milliseconds, compiling patterns that the cache in the
// data folder does not have a minute. Invariant: what `load` fails with lists every error that was found, a line each.

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "gateway/config.h"
#include "waf/engine/rule_engine.h"

namespace gatehouse::gateway {

// Where the rules come from when a snapshot is built.
using RuleEngineSource = std::function<Result<std::shared_ptr<const waf::RuleEngine>>(const Config&)>;

// Whether any route has its requests inspected.
bool wants_rules(const Config& config) noexcept;

// What there is to say of the rule files, a line each: `file:line:column: message; hint`. Does not compile patterns.
struct RuleFindings {
  std::vector<std::string> errors;
  std::vector<std::string> blind;  // rules that can find nothing (waf/engine/blind_rules.h)
};
RuleFindings examine_rules(const WafConfig& config);

class RuleStore {
 public:
  // How far compiling is; from any thread, and only when it takes place.
  using Progress = std::function<void(std::size_t done, std::size_t total)>;
  // `stop`: once it is set, compiling fails soon.
  explicit RuleStore(Progress progress = {}, const std::atomic<bool>* stop = nullptr)
      : progress_(std::move(progress)), stop_(stop) {}

  // Null when nothing is inspected.
  Result<std::shared_ptr<const waf::RuleEngine>> load(const Config& config);

 private:
  Result<std::shared_ptr<const waf::RuleEngine>> compile(const Config& config, waf::ParseResult parsed);

  struct Known {
    std::string digest;
    std::weak_ptr<const waf::RuleEngine> engine;
  };
  Progress progress_;
  const std::atomic<bool>* stop_;
  std::vector<Known> known_;  // whose engines somebody still uses
};

}  // namespace gatehouse::gateway
