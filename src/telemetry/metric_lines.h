#pragma once
// Metrics as lines: StatsD's, with Datadog's tags or with labels in the name, and InfluxDB's line protocol.
//
// StatsD knows increments only: counters are told as what was added since the last time, by an object that remembers.
// Histograms become two counters, `_count` and `_sum`. A label's bytes that mean something to the receiver become '_'.
//
// Thread safety: one owner.

#include <cstdint>
#include <string>
#include <unordered_map>

#include "base/clock.h"
#include "telemetry/metrics.h"

namespace gatehouse::telemetry {

class StatsdLines {
 public:
  enum class Labels : std::uint8_t { tags, in_name };
  explicit StatsdLines(Labels labels) noexcept : labels_(labels) {}

  // What has changed since the last call, each line with its line break. How many lines.
  std::size_t append(const Metrics& metrics, std::string& out);

 private:
  friend class StatsdReader;
  const Labels labels_;
  std::unordered_map<std::string, double> told_;  // bounded by the registry, which never gives a series up
};

// `gatehouse_requests_total,listener=public,route=orders value=17 1750000000123456000`; histograms have the fields
// `count`, `sum` and, cumulative, `le_0.005` and so on. https://docs.influxdata.com/influxdb/v1/write_protocols/
std::size_t append_influx(const Metrics& metrics, WallTime now, std::string& out);

}  // namespace gatehouse::telemetry
