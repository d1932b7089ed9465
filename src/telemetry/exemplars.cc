#include "telemetry/exemplars.h"

#include <algorithm>

namespace gatehouse::telemetry {
namespace {

// As ShardMetrics::observe has it: an exemplar has to lie in its bucket.
std::size_t bucket_of(Metric metric, std::uint64_t us) noexcept {
  const BucketBounds& bounds = buckets_of(metric);
  return static_cast<std::size_t>(std::lower_bound(bounds.begin(), bounds.end(), us * 1000) - bounds.begin());
}

}  // namespace

bool RecordExemplars::wants(const PackedKey& key) noexcept {
  return taken_ < kPerBatch || is_sampled(key, kBeyondPerMillion);
}

void RecordExemplars::take(const DecisionRecord& record) {
  ++taken_;
  if (record.trace_id[0] == '\0') return;
  const std::chrono::duration<double> ended = record.time.time_since_epoch();
  const double time = ended.count() + static_cast<double>(record.duration_us) / 1e6;
  const auto slot = [&](std::uint64_t us) { return Slot{record.trace_id, static_cast<double>(us) / 1e6, time}; };
  const std::lock_guard lock(mutex_);
  own_[bucket_of(Metric::own_duration, record.gatehouse_us)] = slot(record.gatehouse_us);
  auto route = routes_.find(record.route);
  if (route == routes_.end()) {
    if (routes_.size() >= info_of(Metric::request_duration).series_max) return;
    route = routes_.emplace(record.route, Slots{}).first;
  }
  route->second[bucket_of(Metric::request_duration, record.duration_us)] = slot(record.duration_us);
}

bool RecordExemplars::find(Metric metric, std::span<const std::string> labels, std::size_t bucket,
                           Exemplar& exemplar) const {
  if (bucket > kBuckets) return false;
  const std::lock_guard lock(mutex_);
  const Slots* slots = nullptr;
  if (metric == Metric::own_duration) {
    slots = &own_;
  } else if (metric == Metric::request_duration && labels.size() == 1) {
    const auto route = routes_.find(labels[0]);
    if (route != routes_.end()) slots = &route->second;
  }
  if (slots == nullptr || (*slots)[bucket].trace_id[0] == '\0') return false;
  const Slot& slot = (*slots)[bucket];
  exemplar = {std::string(slot.trace_id.data(), slot.trace_id.size()), slot.seconds, slot.time};
  return true;
}

}  // namespace gatehouse::telemetry
