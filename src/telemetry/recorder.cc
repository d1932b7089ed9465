#include "telemetry/recorder.h"

#include "telemetry/log.h"
#include "telemetry/render.h"

namespace gatehouse::telemetry {

void Recorder::record(const DecisionRecord& record) {
  metrics_.record(record);
  records_.add(shard_, record);
  if (!log_.enabled()) return;
  line_.clear();
  log_.format() == AccessLogFormat::common ? append_common(record, line_) : append_json(record, line_);
  log_.write(shard_, line_);
}

void add_log_collector(Metrics& metrics, std::function<const AccessLog*()> log) {
  metrics.add_collector([log = std::move(log)](MetricSamples& samples) {
    samples.add(Metric::log_lost, {}, static_cast<double>(Log::instance().lost()));
    const AccessLog* const current = log();
    if (current == nullptr) return;
    const AccessLogCounters counters = current->counters();
    samples.add(Metric::access_log_bytes, {}, static_cast<double>(counters.bytes_written));
    samples.add(Metric::access_log_dropped, {}, static_cast<double>(counters.lines_dropped));
    samples.add(Metric::access_log_failures, {}, static_cast<double>(counters.write_failures));
  });
}

}  // namespace gatehouse::telemetry
