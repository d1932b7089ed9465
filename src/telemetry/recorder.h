#pragma once
// What a shard does with a finished request's decision record: counts it, keeps it, logs it.
//
// Thread safety: belongs to its shard. What it refers to must outlive it.

#include <string>

#include "telemetry/access_log.h"
#include "telemetry/decision_record.h"
#include "telemetry/metrics.h"
#include "telemetry/record_ring.h"

namespace gatehouse::telemetry {

class Recorder {
 public:
  Recorder(std::size_t shard, Metrics& metrics, RecordStore& records, AccessLog& log) noexcept
      : shard_(shard), metrics_(metrics.shard(shard)), records_(records), log_(&log) {}

  // A reload may bring another access log.
  void use(AccessLog& log) noexcept { log_ = &log; }
  ShardMetrics& metrics() noexcept { return metrics_; }

  void record(const DecisionRecord& record);

 private:
  const std::size_t shard_;
  ShardMetrics& metrics_;
  RecordStore& records_;
  AccessLog* log_;
  std::string line_;
};

}  // namespace gatehouse::telemetry
