#include "telemetry/recorder.h"

#include "telemetry/render.h"

namespace gatehouse::telemetry {

void Recorder::record(const DecisionRecord& record) {
  metrics_.record(record);
  records_.add(shard_, record);
  if (!log_->enabled()) return;
  line_.clear();
  log_->format() == AccessLogFormat::common ? append_common(record, line_) : append_json(record, line_);
  log_->write(shard_, line_);
}

}  // namespace gatehouse::telemetry
