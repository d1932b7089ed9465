#pragma once
// What the inspection of one request costs, stage by stage.
//
// Thread safety: one owner. Costs are CPU time of the calling thread, so another process on the same core takes no part
// in them beyond what it does to caches; take the least of several turns, or their median.

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/engine/transaction.h"
#include "waf/regression/raw_request.h"

namespace gatehouse::waf {

enum class Plan : std::uint8_t { made, none };

// The rules as `gatehouse waf try` takes them; the patterns' databases are kept in `cache_file`.
Result<std::unique_ptr<const RuleEngine>> load_rule_engine(const std::vector<std::string>& rules,
                                                           const std::string& cache_file, Plan plan = Plan::made);

// Paranoia level as a route's tuning.
Tuning tuning_for(const Program& program, unsigned paranoia);

class Meter {
 public:
  enum class Stage : std::uint8_t { head, phase1, body, phase2, log, count_ };
  static constexpr std::array<std::string_view, 5> kStageNames{"head", "phase 1", "body", "phase 2", "log"};
  static constexpr std::size_t kStages = static_cast<std::size_t>(Stage::count_);

  Meter(const RuleEngine& engine, unsigned paranoia);

  struct Cost {
    std::array<double, kStages> stage_ns{};
    double total_ns = 0;
  };
  // One inspection in enforcement, as the gateway runs it: a request that phase 1 blocks has no phase 2.
  Cost inspect(const RawRequest& request);
  // CPU time of one inspection, the least of `turns`.
  double least_ns(const RawRequest& request, int turns);
  // Counts from now on as the gateway does; `timed`: as in a request of its sample. Null: not at all.
  void count(RuleStatistics::Counters* counters, bool timed) noexcept {
    settings_.counters = counters, settings_.timed = timed;
  }
  // No verdict is remembered from now on: each value is scanned.
  void forget_values() { workspace_.matches().without_cache(); }
  // The rule switched off, by its place in the program, or switched on again.
  void switch_off(std::uint32_t rule, bool off);

  const Transaction& transaction() const noexcept { return transaction_; }
  const Program& program() const noexcept { return *engine_.program; }

 private:
  const RuleEngine& engine_;
  Workspace workspace_;
  Tuning tuning_;
  MemoryCollections collections_{SystemClock::instance()};
  Transaction transaction_;
  Transaction::Settings settings_;
  double clock_ns_ = 0;  // what asking for the time takes
};

}  // namespace gatehouse::waf
