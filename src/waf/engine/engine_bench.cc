// What inspection costs: the Core Rule Set on ordinary requests, each the same again and with values that never come
// back, at both ends of the paranoia levels; and without the plan.
//
//   build/release/src/waf_bench --benchmark_filter=Inspect
//
// For stages, hostile requests and the packaged rules: waf_cost (src/app/waf_cost_main.cc).

#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>

#include "waf/cost/meter.h"
#include "waf/cost/requests.h"
#include "waf/rules_for_tests.h"

namespace gatehouse::waf {
namespace {

// Variants of large inputs are few: memory is not what is measured.
std::vector<RawRequest> variants_of(const CostInput& input, bool varied) {
  if (!varied) return {input.make(0)};
  const std::size_t bytes = input.make(0).text().size();
  const auto count = static_cast<std::uint32_t>(std::clamp<std::size_t>((8u << 20) / bytes, 3, 1000));
  std::vector<RawRequest> variants;
  for (std::uint32_t i = 1; i <= count; ++i) variants.push_back(input.make(i));
  return variants;
}

void inspect_variants(benchmark::State& state, const RuleEngine& engine, const CostInput& input, unsigned paranoia,
                      bool varied) {
  Meter meter(engine, paranoia);
  const std::vector<RawRequest> variants = variants_of(input, varied);
  std::array<double, Meter::kStages> stages{};
  std::size_t turn = 0;
  for (auto _ : state) {
    const Meter::Cost cost = meter.inspect(variants[turn++ % variants.size()]);
    for (std::size_t i = 0; i < Meter::kStages; ++i) stages[i] += cost.stage_ns[i] / 1e3;
  }
  state.counters["fired"] = static_cast<double>(meter.transaction().fired().size());
  for (std::size_t i = 0; i < Meter::kStages; ++i) {
    state.counters[std::string(Meter::kStageNames[i]) + " us"] =
        benchmark::Counter(stages[i], benchmark::Counter::kAvgIterations);
  }
}

// Without rules beside the checkout there is nothing to measure.
const bool registered = [] {
  const auto folder = crs_main_folder();
  if (!folder) return false;
  static const std::vector<std::string> rules{folder->string() + "/crs-setup.conf.example",
                                              folder->string() + "/rules/*.conf"};
  const auto engine = [](bool planned) -> const RuleEngine& {
    static const auto cache = std::filesystem::temp_directory_path() / "gatehouse-waf-bench.cache";
    static const std::unique_ptr<const RuleEngine> with_plan = std::move(*load_rule_engine(rules, cache.string()));
    static const std::unique_ptr<const RuleEngine> plain = std::move(*load_rule_engine(rules, {}, Plan::none));
    return planned ? *with_plan : *plain;
  };
  for (const CostInput& input : ordinary_inputs()) {
    for (const unsigned paranoia : {1u, 4u}) {
      for (const bool varied : {false, true}) {
        const std::string name =
            "Inspect/" + input.name + "/PL" + std::to_string(paranoia) + (varied ? "/varied" : "/repeated");
        benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
          inspect_variants(state, engine(true), input, paranoia, varied);
        });
      }
    }
    // One by one, larger bodies take seconds.
    if (input.name.starts_with("json-") && input.name != "json-10k") continue;
    benchmark::RegisterBenchmark(("Inspect/" + input.name + "/PL1/plain").c_str(), [=](benchmark::State& state) {
      inspect_variants(state, engine(false), input, 1, false);
    });
  }
  return true;
}();

}  // namespace
}  // namespace gatehouse::waf
