#include "app/export/exporters.h"

#include <set>
#include <utility>

namespace gatehouse::app {

Result<std::unique_ptr<Exporters>> Exporters::open(const std::vector<gateway::ExportConfig>& configs,
                                                   const std::string& data_dir, telemetry::Metrics& metrics,
                                                   const Clock& clock) {
  auto exporters = std::make_unique<Exporters>();
  exporters->configs_ = configs;
  std::set<std::string> names;
  for (const gateway::ExportConfig& config : exporters->configs_) {
    const auto target = parse_export_target(config.to);
    if (!target) return tl::unexpected(target.error());
    std::string name = target->name();
    for (int number = 2; !names.insert(name).second; ++number) name = target->name() + "-" + std::to_string(number);
    auto made = Exporter::create(config, name, data_dir.empty() ? std::string() : data_dir + "/export", metrics, clock);
    if (!made) return tl::unexpected(std::move(made.error()).while_("telemetry.export"));
    exporters->all_.push_back(std::move(*made));
  }
  return exporters;
}

void Exporters::add_to(std::vector<telemetry::RecordSink*>& sinks) const {
  for (const auto& one : all_) sinks.push_back(one.get());
}

void Exporters::collect(telemetry::MetricSamples& samples) const {
  for (const auto& one : all_) {
    samples.add(telemetry::Metric::export_waiting, {one->name()}, static_cast<double>(one->waiting_bytes()));
  }
}

void Exporters::tick() {
  for (const auto& one : all_) one->tell_metrics();
}

void Exporters::start() {
  started_ = true;
  for (const auto& one : all_) one->start();
}

void Exporters::stop() {
  if (!std::exchange(started_, false)) return;  // those who are asked for metrics may be gone
  for (const auto& one : all_) one->tell_metrics(true);
  for (const auto& one : all_) one->end();  // all at once, so that they share the time
  for (const auto& one : all_) one->stop();
}

}  // namespace gatehouse::app
