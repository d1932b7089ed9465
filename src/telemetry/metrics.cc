#include "telemetry/metrics.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/check.h"

namespace gatehouse::telemetry {
namespace {

constexpr std::size_t kHistogramCells = kBuckets + 2;  // the buckets, +Inf, the sum

constexpr std::size_t cells_of(Metric metric) noexcept {
  return info_of(metric).type == MetricType::histogram ? kHistogramCells : 1;
}

template <class Texts>
std::string key_of(Metric metric, const Texts& labels) {
  std::string key(1, static_cast<char>(metric));
  for (std::string_view label : labels) {
    key += label;
    key += '\0';
  }
  return key;
}

}  // namespace

MetricCells::~MetricCells() {
  for (auto& chunk : chunks_) delete[] chunk.load(std::memory_order_relaxed);
}

void MetricCells::ensure(SeriesId last) {
  GH_CHECK(last < kChunkCells * kChunksMax);
  auto& chunk = chunks_[last / kChunkCells];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    chunk.store(new Cell[kChunkCells](), std::memory_order_release);
  }
}

void MetricSamples::add(Metric metric, Labels labels, double value) {
  GH_CHECK(labels.size() == info_of(metric).label_count());
  auto& samples = samples_[static_cast<std::size_t>(metric)];
  if (samples.size() >= info_of(metric).series_max) return;
  samples.push_back({{labels.begin(), labels.end()}, value});
}

Metrics::Metrics(std::size_t shards) : families_(kMetrics.size()) {
  for (std::size_t i = 0; i <= shards; ++i) cells_.push_back(std::make_unique<MetricCells>());
  for (std::size_t i = 0; i < shards; ++i) shards_.push_back(std::make_unique<ShardMetrics>(*this, *cells_[i]));
}
Metrics::~Metrics() = default;

SeriesId Metrics::series(Metric metric, Labels labels) {
  const MetricInfo& info = info_of(metric);
  GH_CHECK(labels.size() == info.label_count());
  const std::lock_guard lock(mutex_);
  std::string key = key_of(metric, labels);
  if (const auto found = by_labels_.find(key); found != by_labels_.end()) return found->second;
  Family& family = families_[static_cast<std::size_t>(metric)];
  if (family.series.size() < info.series_max) {
    const SeriesId id = make_series(metric, {labels.begin(), labels.end()});
    by_labels_.emplace(std::move(key), id);
    return id;
  }
  if (family.other == 0) {
    const std::vector<std::string> others(labels.size(), "other");
    // Kept like any other, because a route may bear that name.
    SeriesId& id = by_labels_[key_of(metric, others)];
    if (id == 0) id = make_series(metric, others);
    family.other = id;
  }
  if (metric != Metric::series_folded) {
    Family& folded = families_[static_cast<std::size_t>(Metric::series_folded)];
    const auto same = [&](const auto& one) { return one->labels.front() == info.name; };
    const auto found = std::find_if(folded.series.begin(), folded.series.end(), same);
    add(found != folded.series.end() ? (*found)->id : make_series(Metric::series_folded, {std::string(info.name)}));
  }
  return family.other;
}

SeriesId Metrics::make_series(Metric metric, std::vector<std::string> labels) {
  const std::size_t size = cells_of(metric);
  constexpr auto kChunk = static_cast<SeriesId>(MetricCells::kChunkCells);  // which a series does not straddle
  if (next_cell_ / kChunk != (next_cell_ + size - 1) / kChunk) {
    next_cell_ = (next_cell_ / kChunk + 1) * kChunk;
  }
  const SeriesId id = next_cell_;
  next_cell_ += static_cast<SeriesId>(size);
  for (auto& cells : cells_) cells->ensure(id);
  families_[static_cast<std::size_t>(metric)].series.push_back(
      std::make_shared<const Series>(Series{id, std::move(labels)}));
  return id;
}

void Metrics::add(SeriesId id, std::int64_t amount) noexcept {
  cells_.back()->cell(id).fetch_add(amount, std::memory_order_relaxed);
}

void Metrics::set(SeriesId id, std::int64_t value) noexcept {
  cells_.back()->cell(id).store(value, std::memory_order_relaxed);
}

void Metrics::add_collector(std::function<void(MetricSamples&)> collector) {
  const std::lock_guard lock(mutex_);
  collectors_.push_back(std::move(collector));
}

std::int64_t Metrics::value(SeriesId id) const noexcept {
  std::int64_t sum = 0;
  for (const auto& cells : cells_) sum += cells->cell(id).load(std::memory_order_relaxed);
  return sum;
}

std::int64_t Metrics::total(Metric metric, std::size_t label, std::string_view wanted) const {
  std::int64_t sum = 0;
  const std::vector<Family> all = families();
  for (const auto& series : all[static_cast<std::size_t>(metric)].series) {
    if (wanted.empty() || series->labels[label] == wanted) sum += value(series->id);
  }
  return sum;
}

std::vector<Metrics::Family> Metrics::families() const {
  const std::lock_guard lock(mutex_);
  return families_;
}

// --- shards

namespace {

// Mixes eight bytes at a time; keys are a handful of short labels that a configuration names, so the quality that an
// attacker would call for is not needed.
std::uint64_t mix(std::uint64_t hash, std::string_view text) noexcept {
  constexpr std::uint64_t kPrime = 0x9e3779b97f4a7c15;
  hash = (hash ^ text.size()) * kPrime;
  for (; text.size() >= 8; text.remove_prefix(8)) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 32;
  }
  std::uint64_t word = 0;
  for (char c : text) word = word << 8 | static_cast<std::uint8_t>(c);
  hash = (hash ^ word) * kPrime;
  return hash ^ hash >> 32;
}

}  // namespace

// Series by labels, set-associative: four places a key may be in, the oldest of which is given up.
class ShardMetrics::LabelCache {
 public:
  SeriesId find(Metrics& registry, Metric metric, Labels labels) {
    std::uint64_t hash = static_cast<std::uint64_t>(metric);
    for (std::string_view label : labels) hash = mix(hash, label);
    Entry* const ways = &entries_[(hash >> 7) % kSets * kWays];
    for (std::size_t i = 0; i < kWays; ++i) {
      if (ways[i].hash == hash && ways[i].metric == metric && matches(ways[i].key, labels)) return ways[i].series;
    }
    Entry& entry = ways[next_++ % kWays];
    entry.key.clear();
    for (std::string_view label : labels) {
      entry.key += label;
      entry.key += '\0';
    }
    entry.hash = hash;
    entry.metric = metric;
    entry.series = registry.series(metric, labels);
    return entry.series;
  }

 private:
  static constexpr std::size_t kWays = 4, kSets = 512;
  struct Entry {
    std::uint64_t hash = 0;
    Metric metric = Metric::count_;
    SeriesId series = 0;
    std::string key;
  };
  static bool matches(std::string_view key, Labels labels) noexcept {
    for (std::string_view label : labels) {
      if (key.size() <= label.size() || key.substr(0, label.size()) != label || key[label.size()] != '\0') return false;
      key.remove_prefix(label.size() + 1);
    }
    return key.empty();
  }

  std::vector<Entry> entries_ = std::vector<Entry>(kWays * kSets);
  std::size_t next_ = 0;
};

// The series of one route on one listener, each made when it is first needed.
struct ShardMetrics::Route {
  std::string listener, route;
  std::array<SeriesId, kStatusClasses * kVerdicts> requests{};
  SeriesId duration = 0;
  SeriesId received = 0, sent = 0;
};

ShardMetrics::ShardMetrics(Metrics& registry, MetricCells& cells)
    : registry_(registry), cells_(cells), cache_(std::make_unique<LabelCache>()), routes_(4096) {}
ShardMetrics::~ShardMetrics() = default;

SeriesId ShardMetrics::id(Metric metric, Labels labels) noexcept { return cache_->find(registry_, metric, labels); }

void ShardMetrics::observe(Metric metric, SeriesId series, Duration duration) noexcept {
  const BucketBounds& bounds = buckets_of(metric);
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  SeriesId bucket = 0;
  while (bucket < kBuckets && ns > bounds[bucket]) ++bucket;
  add(series + bucket);
  add(series + static_cast<SeriesId>(kBuckets) + 1, static_cast<std::int64_t>(ns));
}

ShardMetrics::Route& ShardMetrics::route_of(const DecisionRecord& record) {
  const std::uint64_t hash = mix(mix(0, record.listener), record.route);
  std::unique_ptr<Route>& slot = routes_[(hash >> 7) % routes_.size()];
  if (slot && slot->listener == record.listener && slot->route == record.route) [[likely]]
    return *slot;
  slot = std::make_unique<Route>();
  slot->listener = record.listener;
  slot->route = record.route;
  slot->duration = registry_.series(Metric::request_duration, {record.route});
  slot->received = registry_.series(Metric::received_bytes, {record.listener});
  slot->sent = registry_.series(Metric::sent_bytes, {record.listener});
  return *slot;
}

SeriesId ShardMetrics::decision_series(const LayerDecision& decision) noexcept {
  const Labels labels = {name_of(decision.layer), name_of(decision.verdict), name_of(decision.mode), decision.reason};
  if (!decision.reason.empty() || decision.layer >= Layer::count_) return id(Metric::layer_decisions, labels);
  const std::size_t index =
      (static_cast<std::size_t>(decision.layer) * kVerdicts + static_cast<std::size_t>(decision.verdict)) * kModes +
      static_cast<std::size_t>(decision.mode);
  if (plain_decisions_[index] == 0) plain_decisions_[index] = registry_.series(Metric::layer_decisions, labels);
  return plain_decisions_[index];
}

void ShardMetrics::record(const DecisionRecord& record) noexcept {
  Route& route = route_of(record);
  const int status_class = record.status >= 100 && record.status <= 599 ? record.status / 100 : 0;
  SeriesId& requests =
      route.requests[static_cast<std::size_t>(status_class) * kVerdicts + static_cast<std::size_t>(record.verdict)];
  if (requests == 0) [[unlikely]] {
    static constexpr std::array<std::string_view, kStatusClasses> kClasses = {"none", "1xx", "2xx",
                                                                              "3xx",  "4xx", "5xx"};
    requests = registry_.series(Metric::requests,
                                {record.listener, record.route, kClasses[status_class], name_of(record.verdict)});
  }
  add(requests);
  if (record.layer == Layer::http && record.verdict == Verdict::deny && record.reason.starts_with("http.")) {
    count(Metric::http_refused, {record.listener, record.reason});
  }
  add(route.received, static_cast<std::int64_t>(record.bytes_in));
  add(route.sent, static_cast<std::int64_t>(record.bytes_out));
  observe(Metric::request_duration, route.duration, std::chrono::microseconds(record.duration_us));
  if (own_duration_ == 0) own_duration_ = registry_.series(Metric::own_duration, {});
  observe(Metric::own_duration, own_duration_, std::chrono::microseconds(record.gatehouse_us));
  if (record.waf != nullptr) {
    for (const WafHit& hit : record.waf->all()) {
      char id[20];
      const auto end = std::to_chars(id, id + sizeof id, hit.rule).ptr;
      count(Metric::waf_rule_hits, {{id, static_cast<std::size_t>(end - id)}});
    }
  }
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    const LayerDecision& decision = record.layers[i];
    add(decision_series(decision));
    if (decision.layer >= Layer::count_) continue;
    SeriesId& time = layer_time_[static_cast<std::size_t>(decision.layer)];
    if (time == 0) [[unlikely]]
      time = registry_.series(Metric::layer_time, {name_of(decision.layer)});
    add(time, decision.ns);
  }
}

}  // namespace gatehouse::telemetry
