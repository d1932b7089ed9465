// What one request costs in telemetry.
//   cmake --build --preset release --target telemetry_bench && build/release/src/telemetry_bench

#include <benchmark/benchmark.h>

#include "telemetry/record_sample.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {
namespace {

void BM_AppendJsonEightLayers(benchmark::State& state) {
  const DecisionRecord record = sample_record();
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_json(record, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(BM_AppendJsonEightLayers);

void BM_AppendCommon(benchmark::State& state) {
  const DecisionRecord record = sample_record();
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_common(record, out);
    benchmark::DoNotOptimize(out.data());
  }
}
BENCHMARK(BM_AppendCommon);

}  // namespace
}  // namespace gatehouse::telemetry
