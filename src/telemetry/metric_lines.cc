#include "telemetry/metric_lines.h"

#include <charconv>
#include <chrono>

#include "telemetry/metric_reading.h"

namespace gatehouse::telemetry {
namespace {

void append_number(double value, std::string& out) {
  char digits[40];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed, 6).ptr);
  // "17.000000" is 17.
  out.erase(out.find_last_not_of('0') + 1);
  if (out.back() == '.') out.pop_back();
}

bool is_plain(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

// In the name of a metric, where dots part levels.
void append_level(std::string_view text, std::string& out) {
  if (text.empty()) out += "none";
  for (const char c : text) out += is_plain(c) ? c : '_';
}

// Of a tag's value: all that ends a tag, a line or an escape.
void append_tag(std::string_view text, std::string& out) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool bad =
        byte <= 0x20 || byte >= 0x7f || c == '|' || c == ',' || c == '#' || c == '=' || c == '\\' || c == '"';
    out += bad ? '_' : c;
  }
}

class InfluxReader final : public MetricReader {
 public:
  InfluxReader(WallTime now, std::string& out) : out_(out) {
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now.time_since_epoch()).count();
    end_ = " " + std::to_string(ns) + "\n";
  }
  void take(const MetricReading& reading) override {
    out_ += reading.info->name;
    for (std::size_t i = 0; i < reading.labels.size(); ++i) {
      if (reading.labels[i].empty()) continue;
      out_ += ',';
      out_ += reading.info->labels[i];
      out_ += '=';
      append_tag(reading.labels[i], out_);
    }
    if (reading.info->type == MetricType::histogram) {
      out_ += " count=";
      append_number(static_cast<double>(reading.count), out_);
      out_ += ",sum=";
      append_number(reading.sum, out_);
      const BucketBounds& bounds = buckets_of(reading.info->id);
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < bounds.size(); ++i) {
        sum += reading.buckets[i];
        out_ += ",le_";
        out_ += bound_text(bounds[i]);
        out_ += '=';
        append_number(static_cast<double>(sum), out_);
      }
    } else {
      out_ += " value=";
      append_number(reading.value, out_);
    }
    out_ += end_;
    ++lines;
  }
  std::size_t lines = 0;

 private:
  std::string& out_;
  std::string end_;
};

}  // namespace

class StatsdReader final : public MetricReader {
 public:
  StatsdReader(StatsdLines& owner, std::string& out) : owner_(owner), out_(out) {}

  void take(const MetricReading& reading) override {
    if (reading.info->type == MetricType::gauge) {
      line(reading, "", reading.value, "|g");
    } else if (reading.info->type == MetricType::counter) {
      increment(reading, "", reading.value);
    } else {
      increment(reading, "_count", static_cast<double>(reading.count));
      increment(reading, "_sum", reading.sum);
    }
  }
  std::size_t lines = 0;

 private:
  std::string name_of_series(const MetricReading& reading, std::string_view suffix) const {
    std::string name(reading.info->name);
    name += suffix;
    if (owner_.labels_ == StatsdLines::Labels::in_name) {
      for (const std::string& label : reading.labels) {
        name += '.';
        append_level(label, name);
      }
    }
    return name;
  }
  std::string tags_of(const MetricReading& reading) const {
    std::string tags;
    if (owner_.labels_ == StatsdLines::Labels::in_name) return tags;
    for (std::size_t i = 0; i < reading.labels.size(); ++i) {
      if (reading.labels[i].empty()) continue;
      tags += tags.empty() ? "|#" : ",";
      tags += reading.info->labels[i];
      tags += ':';
      append_tag(reading.labels[i], tags);
    }
    return tags;
  }
  void increment(const MetricReading& reading, std::string_view suffix, double value) {
    double& told = owner_.told_[name_of_series(reading, suffix) + tags_of(reading)];
    const double added = value - told;
    told = value;
    if (added > 0) line(reading, suffix, added, "|c");
  }
  void line(const MetricReading& reading, std::string_view suffix, double value, std::string_view type) {
    out_ += name_of_series(reading, suffix);
    out_ += ':';
    append_number(value, out_);
    out_ += type;
    out_ += tags_of(reading);
    out_ += '\n';
    ++lines;
  }

  StatsdLines& owner_;
  std::string& out_;
};

std::size_t StatsdLines::append(const Metrics& metrics, std::string& out) {
  StatsdReader reader(*this, out);
  metrics.read(reader);
  return reader.lines;
}

std::size_t append_influx(const Metrics& metrics, WallTime now, std::string& out) {
  InfluxReader reader(now, out);
  metrics.read(reader);
  return reader.lines;
}

}  // namespace gatehouse::telemetry
