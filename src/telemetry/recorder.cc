#include "telemetry/recorder.h"

#include "telemetry/record_formats.h"

namespace gatehouse::telemetry {

void Recorder::record(const DecisionRecord& record) {
  metrics_.record(record);
  records_.add(shard_, record);
  if (!log_->enabled()) return;
  line_.clear();
  append_record(log_->format(), record, line_);
  log_->write(shard_, line_);
}

}  // namespace gatehouse::telemetry
