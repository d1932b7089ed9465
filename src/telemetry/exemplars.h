#pragma once
// For each bucket of the histograms of requests a request that fell into it, by its trace: what OpenMetrics calls
// exemplars, by which a slow bucket in a dashboard leads to a trace. https://github.com/prometheus/OpenMetrics
//
// Looks at some of what the follower reads: the first of each batch and one in a hundred beyond. The newest stands.
//
// Thread safety: as a RecordSink; `find` by anybody. Bounded: as many routes as their histogram has series.

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "telemetry/metric_reading.h"
#include "telemetry/record_follower.h"

namespace gatehouse::telemetry {

class RecordExemplars final : public RecordSink, public ExemplarSource {
 public:
  static constexpr std::size_t kPerBatch = 32;
  static constexpr std::uint32_t kBeyondPerMillion = 10'000;

  bool wants(const PackedKey& key) noexcept override;
  void take(const DecisionRecord& record) override;
  void flush() override { taken_ = 0; }

  bool find(Metric metric, std::span<const std::string> labels, std::size_t bucket, Exemplar& exemplar) const override;

 private:
  struct Slot {
    std::array<char, 32> trace_id{};  // begins with zero: none
    double seconds = 0, time = 0;
  };
  using Slots = std::array<Slot, kBuckets + 1>;

  std::size_t taken_ = 0;  // of the batch
  mutable std::mutex mutex_;
  Slots own_{};
  std::map<std::string, Slots, std::less<>> routes_;
};

}  // namespace gatehouse::telemetry
