#pragma once
// Counters, gauges and histograms without a lock or a shared cache line on the request path: every shard has cells of
// its own and writes them with plain (relaxed) stores; whoever scrapes sums them up.
//
// Thread safety: a `ShardMetrics` belongs to its shard. `Metrics` may be used by any thread; `add` and `set` there
// write the control plane's own cells by atomic read-modify-write. Cells are never freed or moved, so a SeriesId stays
// good for the life of the registry, across reloads. Invariant: a metric has at most `series_max` series
// (metric_names.h); label sets beyond that share one series whose labels all say `other`, and
// gatehouse_metric_series_folded_total counts them.

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "telemetry/decision_record.h"
#include "telemetry/metric_names.h"

namespace gatehouse::telemetry {

using SeriesId = std::uint32_t;  // the first cell of a series; 0: none
using Labels = std::initializer_list<std::string_view>;

enum class MetricsFormat : std::uint8_t { text, open_metrics };
// From an Accept field: OpenMetrics only if it is asked for by name.
MetricsFormat metrics_format_of(std::string_view accept) noexcept;
std::string_view content_type_of(MetricsFormat format) noexcept;

// The cells of one writer. Grows by chunks that stay where they are.
class MetricCells {
 public:
  static constexpr std::size_t kChunkCells = 1024;
  static constexpr std::size_t kChunksMax = 512;
  using Cell = std::atomic<std::int64_t>;

  ~MetricCells();
  Cell& cell(SeriesId id) const noexcept {
    return chunks_[id / kChunkCells].load(std::memory_order_relaxed)[id % kChunkCells];
  }
  void ensure(SeriesId last);  // under the registry's lock

 private:
  std::array<std::atomic<Cell*>, kChunksMax> chunks_{};
};

// Values that are known only when somebody asks for them.
class MetricSamples {
 public:
  struct Sample {
    std::vector<std::string> labels;
    double value;
  };
  void add(Metric metric, Labels labels, double value);
  const std::vector<Sample>& of(Metric metric) const noexcept { return samples_[static_cast<std::size_t>(metric)]; }

 private:
  std::array<std::vector<Sample>, kMetrics.size()> samples_;
};

class ShardMetrics;
class MetricReader;    // metric_reading.h
class ExemplarSource;  // metric_reading.h

class Metrics {
 public:
  explicit Metrics(std::size_t shards);
  ~Metrics();

  ShardMetrics& shard(std::size_t index) noexcept { return *shards_[index]; }

  // The series of these labels, made on the first call; as many labels as the metric has. Takes a lock for as long as a
  // look-up takes; a scrape holds that lock only while it copies the list of series.
  SeriesId series(Metric metric, Labels labels);

  // For the control plane; shards have their own.
  void add(SeriesId id, std::int64_t amount = 1) noexcept;
  void set(SeriesId id, std::int64_t value) noexcept;  // gauges that only the control plane writes
  void count(Metric metric, Labels labels, std::int64_t amount = 1) { add(series(metric, labels), amount); }

  // Called at every scrape, by the scraping thread.
  void add_collector(std::function<void(MetricSamples&)> collector);

  std::string render(MetricsFormat format) const;
  // The same as values.
  void read(MetricReader& reader) const;
  // OpenMetrics shows them at histograms' buckets. `source` outlives the registry's last `render`; null: none.
  void set_exemplars(const ExemplarSource* source) noexcept { exemplars_.store(source, std::memory_order_release); }
  // The sum over all shards: of a counter, a gauge, or a histogram's first bucket. For tests and the status page.
  std::int64_t value(SeriesId id) const noexcept;
  // The same over all series of a metric whose label number `label` has this value; every series without `value`.
  std::int64_t total(Metric metric, std::size_t label = 0, std::string_view value = {}) const;

 private:
  struct Series {
    SeriesId id;
    std::vector<std::string> labels;
  };
  struct Family {
    std::vector<std::shared_ptr<const Series>> series;
    SeriesId other = 0;
  };

  SeriesId make_series(Metric metric, std::vector<std::string> labels);
  std::vector<Family> families() const;

  mutable std::mutex mutex_;
  std::vector<Family> families_;
  std::unordered_map<std::string, SeriesId> by_labels_;
  std::vector<std::function<void(MetricSamples&)>> collectors_;
  std::atomic<const ExemplarSource*> exemplars_{nullptr};
  SeriesId next_cell_ = 1;
  std::vector<std::unique_ptr<MetricCells>> cells_;  // the control plane's last
  std::vector<std::unique_ptr<ShardMetrics>> shards_;
};

// Adds process_* and gatehouse_build_info.
void add_process_collector(Metrics& metrics, std::string_view version);

// One shard's door to the registry: remembers the series it has used, so that no lock is taken twice for one.
class ShardMetrics {
 public:
  ShardMetrics(Metrics& registry, MetricCells& cells);
  ~ShardMetrics();

  // Everything a decision record says: requests, durations, bytes, layers. Under 100 ns for eight layers.
  void record(const DecisionRecord& record) noexcept;

  // A series to keep for as long as one likes.
  SeriesId id(Metric metric, Labels labels) noexcept;
  void add(SeriesId series, std::int64_t amount = 1) noexcept {
    MetricCells::Cell& cell = cells_.cell(series);
    cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void observe(Metric metric, SeriesId series, Duration duration) noexcept;
  // Look-up and addition in one, about 15 ns: for what happens less often than a request.
  void count(Metric metric, Labels labels, std::int64_t amount = 1) noexcept { add(id(metric, labels), amount); }

 private:
  static constexpr std::size_t kVerdicts = 4, kModes = 3, kStatusClasses = 6;
  static constexpr std::size_t kLayers = static_cast<std::size_t>(Layer::count_);
  struct Route;
  class LabelCache;

  Route& route_of(const DecisionRecord& record);
  SeriesId decision_series(const LayerDecision& decision) noexcept;

  Metrics& registry_;
  MetricCells& cells_;
  std::unique_ptr<LabelCache> cache_;
  std::vector<std::unique_ptr<Route>> routes_;  // by hash of listener and route; a collision replaces
  // Decisions without a reason: nearly all of them.
  std::array<SeriesId, kLayers * kVerdicts * kModes> plain_decisions_{};
  std::array<SeriesId, kLayers> layer_time_{};
  SeriesId own_duration_ = 0;
};

}  // namespace gatehouse::telemetry
