// What one request costs in telemetry.
//   cmake --build --preset release --target telemetry_bench && build/release/src/telemetry_bench

#include <benchmark/benchmark.h>

#include "telemetry/access_log.h"
#include "telemetry/metrics.h"
#include "telemetry/record_formats.h"
#include "telemetry/record_ring.h"
#include "telemetry/record_sample.h"
#include "telemetry/recorder.h"
#include "telemetry/render.h"
#include "telemetry/trace.h"

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

// ecs, ocsf and cef, of an ordinary request and of an attack.
void BM_AppendRecord(benchmark::State& state) {
  DecisionRecord record = sample_record();
  const WafRecord waf = sample_waf();
  if (state.range(1) != 0) record.waf = &waf;
  std::string out;
  for (auto _ : state) {
    out.clear();
    append_record(static_cast<AccessLogFormat>(state.range(0)), record, out);
    benchmark::DoNotOptimize(out.data());
  }
  state.counters["bytes"] = static_cast<double>(out.size());
}
BENCHMARK(BM_AppendRecord)->ArgNames({"format", "attack"})->ArgsProduct({{2, 3, 4}, {0, 1}});

void BM_MetricsRecord(benchmark::State& state) {
  Metrics metrics(1);
  const DecisionRecord record = sample_record();
  for (auto _ : state) metrics.shard(0).record(record);
}
BENCHMARK(BM_MetricsRecord);

void BM_MetricsCountByLabels(benchmark::State& state) {
  Metrics metrics(1);
  for (auto _ : state) metrics.shard(0).count(Metric::upstream_requests, {"orders", "success"});
}
BENCHMARK(BM_MetricsCountByLabels);

void BM_RecordRingAdd(benchmark::State& state) {
  const DecisionRecord record = sample_record();
  RecordStore store(1);
  for (auto _ : state) store.add(0, record);
}
BENCHMARK(BM_RecordRingAdd);

void BM_AccessLogWrite(benchmark::State& state) {
  const std::string line(1300, 'x');
  auto log = AccessLog::open({.to = "/dev/null", .buffer_bytes = 16 * 1024 * 1024});
  for (auto _ : state) (*log)->write(0, line);
  state.counters["dropped"] = static_cast<double>((*log)->counters().lines_dropped);
}
BENCHMARK(BM_AccessLogWrite);

// All of it: what a shard pays for a finished request.
void BM_Recorder(benchmark::State& state) {
  const DecisionRecord record = sample_record();
  Metrics metrics(1);
  RecordStore store(1);
  auto log = AccessLog::open({.to = "/dev/null"});
  Recorder recorder(0, metrics, store, **log);
  for (auto _ : state) recorder.record(record);
}
BENCHMARK(BM_Recorder);

void BM_RequestIdAndTrace(benchmark::State& state) {
  IdGenerator ids({1, 2, 3, 4});
  for (auto _ : state) {
    benchmark::DoNotOptimize(ids.request_id(WallTime(Duration(1'750'000'000'123'456'000))));
    benchmark::DoNotOptimize(ids.begin("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "", false));
  }
}
BENCHMARK(BM_RequestIdAndTrace);

void BM_Scrape(benchmark::State& state) {
  Metrics metrics(2);
  DecisionRecord record = sample_record();
  for (int i = 0; i < 100; ++i) {
    const std::string route = "route-" + std::to_string(i);
    record.route = route;
    metrics.shard(0).record(record);
  }
  for (auto _ : state) benchmark::DoNotOptimize(metrics.render(MetricsFormat::text));
}
BENCHMARK(BM_Scrape)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace gatehouse::telemetry
