#include "admin/live/traffic.h"

#include "admin/members.h"

namespace gatehouse::admin {

using codec::JsonWriter;

Traffic::Traffic(const Clock& clock) : clock_(clock) { seconds_.push_back({.second = now_second()}); }

std::int64_t Traffic::now_second() const noexcept {
  return std::chrono::duration_cast<std::chrono::seconds>(clock_.wall().time_since_epoch()).count();
}

void Traffic::count(const telemetry::PackedKey& key) noexcept {
  TrafficSecond& now = seconds_.back();
  const auto verdict = static_cast<std::size_t>(key.verdict), layer = static_cast<std::size_t>(key.layer);
  if (verdict >= TrafficSecond::kVerdicts || layer >= TrafficSecond::kLayers) return;
  ++now.verdicts[verdict];
  if (key.status_class < TrafficSecond::kClasses) ++now.classes[key.status_class];
  if (key.verdict != telemetry::Verdict::pass) ++now.layers[layer][verdict];
  if (key.remark != 0) ++now.remarked;
}

bool Traffic::tick() {
  std::int64_t now = now_second();
  const std::int64_t last = seconds_.back().second;
  if (now == last) return false;
  // A clock that was set, or a loop that stood still: the missing seconds are empty ones, as far as they are kept.
  if (now < last || now - last > static_cast<std::int64_t>(kSecondsMax)) {
    const TrafficSecond kept = seconds_.back();
    seconds_.clear();
    seconds_.push_back(kept);
    seconds_.back().second = now - 1;
  }
  while (seconds_.back().second < now) {
    const std::int64_t next = seconds_.back().second + 1;
    seconds_.push_back({.second = next});
  }
  while (seconds_.size() > kSecondsMax) seconds_.pop_front();
  return true;
}

void append_json(const TrafficSecond& second, std::string& out) {
  JsonWriter json(out);
  {
    Members members(json);
    members.time("time", WallTime(std::chrono::seconds(second.second)));
    std::uint64_t requests = 0;
    for (const std::uint32_t count : second.verdicts) requests += count;
    members.number("requests", requests);
    members.name("verdicts");
    {
      Members verdicts(json);
      for (std::size_t i = 0; i < second.verdicts.size(); ++i) {
        if (second.verdicts[i] > 0) verdicts.number(name_of(static_cast<telemetry::Verdict>(i)), second.verdicts[i]);
      }
    }
    members.name("status");
    {
      static constexpr std::array kNames{"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
      Members classes(json);
      for (std::size_t i = 0; i < second.classes.size(); ++i) {
        if (second.classes[i] > 0) classes.number(kNames[i], second.classes[i]);
      }
    }
    members.name("layers");
    {
      Members layers(json);
      for (std::size_t i = 0; i < second.layers.size(); ++i) {
        if (second.layers[i] == std::array<std::uint32_t, TrafficSecond::kVerdicts>{}) continue;
        layers.name(name_of(static_cast<telemetry::Layer>(i)));
        Members one(json);
        for (std::size_t v = 0; v < second.layers[i].size(); ++v) {
          if (second.layers[i][v] > 0) one.number(name_of(static_cast<telemetry::Verdict>(v)), second.layers[i][v]);
        }
      }
    }
    members.number("remarked", second.remarked);
    members.number("missed", second.missed);
  }
  json.flush();
}

std::string to_json(const Traffic& traffic, std::size_t seconds) {
  const auto& all = traffic.seconds();
  const std::size_t complete = all.size() - 1, from = complete > seconds ? complete - seconds : 0;
  std::string out = "{\"seconds\":[";
  for (std::size_t i = from; i < complete; ++i) {
    if (i > from) out += ',';
    append_json(all[i], out);
  }
  return out += "]}";
}

}  // namespace gatehouse::admin
