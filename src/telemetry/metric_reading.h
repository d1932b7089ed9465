#pragma once
// What a registry of metrics holds at one moment, series by series; for exporters.

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "telemetry/metric_names.h"

namespace gatehouse::telemetry {

struct MetricReading {
  const MetricInfo* info = nullptr;
  std::span<const std::string> labels;  // as many as info names
  double value = 0;                     // of a counter or gauge, in the unit that its name says
  // Of a histogram: observations in each bucket alone, the last for all that is beyond the bounds; their sum in
  // seconds.
  std::array<std::uint64_t, kBuckets + 1> buckets{};
  std::uint64_t count = 0;
  double sum = 0;
};

class MetricReader {
 public:
  virtual ~MetricReader() = default;
  // Those of one metric come one after the other; `labels` are good for the call.
  virtual void take(const MetricReading& reading) = 0;
};

// A bound of kRequestBuckets or kOwnBuckets in seconds, as text: "0.005", "1.0".
std::string bound_text(std::uint64_t ns);

// An observation that stands for its bucket.
struct Exemplar {
  std::string trace_id;
  double seconds = 0;
  double time = 0;  // seconds since the epoch
};

class ExemplarSource {
 public:
  virtual ~ExemplarSource() = default;
  // Any thread. False: none is known.
  virtual bool find(Metric metric, std::span<const std::string> labels, std::size_t bucket,
                    Exemplar& exemplar) const = 0;
};

}  // namespace gatehouse::telemetry
