// The exposition: Prometheus text format 0.0.4 and OpenMetrics 1.0.

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <span>
#include <utility>

#include "telemetry/metric_reading.h"
#include "telemetry/metrics.h"

namespace gatehouse::telemetry {
namespace {

constexpr double kNanosecondsPerSecond = 1e9;

void append_escaped(std::string_view text, bool quotes, std::string& out) {
  for (char c : text) {
    if (c == '\\') {
      out += "\\\\";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '"' && quotes) {
      out += "\\\"";
    } else {
      out += c;
    }
  }
}

void append_number(double value, std::string& out) {
  if (value == std::floor(value) && std::abs(value) < 9e15) {
    fmt::format_to(std::back_inserter(out), "{}", static_cast<std::int64_t>(value));
  } else {
    fmt::format_to(std::back_inserter(out), "{}", value);
  }
}

class Exposition final : public MetricReader {
 public:
  Exposition(MetricsFormat format, const ExemplarSource* exemplars)
      : open_metrics_(format == MetricsFormat::open_metrics), exemplars_(open_metrics_ ? exemplars : nullptr) {}

  void take(const MetricReading& reading) override {
    if (reading.info != info_) begin(*reading.info);
    if (info_->type != MetricType::histogram) {
      sample("", reading.labels, "", reading.value);
      return;
    }
    const BucketBounds& bounds = buckets_of(info_->id);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= kBuckets; ++i) {
      count += reading.buckets[i];
      sample("_bucket", reading.labels, i == kBuckets ? "+Inf" : bound_text(bounds[i]), static_cast<double>(count));
      Exemplar found;
      if (reading.buckets[i] == 0 || exemplars_ == nullptr) continue;
      if (exemplars_->find(info_->id, reading.labels, i, found)) exemplar(found);
    }
    sample("_sum", reading.labels, "", reading.sum);
    sample("_count", reading.labels, "", static_cast<double>(reading.count));
  }

  std::string end() {
    if (open_metrics_) out_ += "# EOF\n";
    return std::move(out_);
  }

 private:
  void begin(const MetricInfo& info) {
    info_ = &info;
    std::string_view name = info.name;
    if (open_metrics_ && info.type == MetricType::counter) name.remove_suffix(6);  // "_total"
    constexpr std::string_view kTypes[] = {"counter", "gauge", "histogram"};
    fmt::format_to(std::back_inserter(out_), "# HELP {} ", name);
    append_escaped(info.help, open_metrics_, out_);
    fmt::format_to(std::back_inserter(out_), "\n# TYPE {} {}\n", name, kTypes[static_cast<std::size_t>(info.type)]);
  }

  void sample(std::string_view suffix, std::span<const std::string> labels, std::string_view bound, double value) {
    out_ += info_->name;
    out_ += suffix;
    if (!labels.empty() || !bound.empty()) {
      char before = '{';
      for (std::size_t i = 0; i < labels.size(); ++i) label(std::exchange(before, ','), info_->labels[i], labels[i]);
      if (!bound.empty()) label(before, "le", bound);
      out_ += '}';
    }
    out_ += ' ';
    append_number(value, out_);
    out_ += '\n';
  }

  // Behind the line that was written last.
  void exemplar(const Exemplar& exemplar) {
    out_.pop_back();
    fmt::format_to(std::back_inserter(out_), " # {{trace_id=\"{}\"}} {} {:.3f}\n", exemplar.trace_id, exemplar.seconds,
                   exemplar.time);
  }

  void label(char before, std::string_view name, std::string_view value) {
    out_ += before;
    out_ += name;
    out_ += "=\"";
    append_escaped(value, true, out_);
    out_ += '"';
  }

  const bool open_metrics_;
  const ExemplarSource* const exemplars_;
  const MetricInfo* info_ = nullptr;
  std::string out_;
};

double scaled(const MetricInfo& info, std::int64_t value) noexcept {
  const auto real = static_cast<double>(value);
  return info.unit == MetricUnit::nanoseconds ? real / kNanosecondsPerSecond : real;
}

}  // namespace

// "1.0" rather than "1": OpenMetrics demands it, and both formats must name the same series.
std::string bound_text(std::uint64_t ns) {
  std::string text = fmt::format("{}", static_cast<double>(ns) / kNanosecondsPerSecond);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

MetricsFormat metrics_format_of(std::string_view accept) noexcept {
  return accept.find("application/openmetrics-text") != std::string_view::npos ? MetricsFormat::open_metrics
                                                                               : MetricsFormat::text;
}

std::string_view content_type_of(MetricsFormat format) noexcept {
  return format == MetricsFormat::open_metrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
                                               : "text/plain; version=0.0.4; charset=utf-8";
}

std::string Metrics::render(MetricsFormat format) const {
  Exposition out(format, exemplars_.load(std::memory_order_acquire));
  read(out);
  return out.end();
}

void Metrics::read(MetricReader& reader) const {
  std::vector<std::function<void(MetricSamples&)>> collectors;
  {
    const std::lock_guard lock(mutex_);
    collectors = collectors_;
  }
  MetricSamples samples;
  for (const auto& collect : collectors) collect(samples);
  const std::vector<Family> all = families();
  for (const MetricInfo& info : kMetrics) {
    for (const auto& series : all[static_cast<std::size_t>(info.id)].series) {
      MetricReading reading{.info = &info, .labels = series->labels};
      if (info.type == MetricType::histogram) {
        for (std::size_t i = 0; i <= kBuckets; ++i) {
          reading.buckets[i] = static_cast<std::uint64_t>(value(series->id + static_cast<SeriesId>(i)));
          reading.count += reading.buckets[i];
        }
        reading.sum = scaled(info, value(series->id + static_cast<SeriesId>(kBuckets) + 1));
      } else {
        reading.value = scaled(info, value(series->id));
      }
      reader.take(reading);
    }
    for (const auto& sample : samples.of(info.id)) {
      reader.take({.info = &info, .labels = sample.labels, .value = sample.value});
    }
  }
}

}  // namespace gatehouse::telemetry
