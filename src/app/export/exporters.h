#pragma once
// All receivers of `telemetry.export`. Thread safety: as Exporter.

#include <memory>
#include <string>
#include <vector>

#include "app/export/exporter.h"

namespace gatehouse::app {

class Exporters {
 public:
  // `data_dir` empty: nothing is kept in files while a receiver is away. `metrics` outlives it.
  static Result<std::unique_ptr<Exporters>> open(const std::vector<gateway::ExportConfig>& configs,
                                                 const std::string& data_dir, telemetry::Metrics& metrics,
                                                 const Clock& clock);

  void add_to(std::vector<telemetry::RecordSink*>& sinks) const;
  void collect(telemetry::MetricSamples& samples) const;
  // Once in a while, by the thread that collects metrics.
  void tick();
  void start();
  // By that thread, too; after the last record was handed over.
  void stop();

 private:
  std::vector<gateway::ExportConfig> configs_;  // they stay as they were at the start
  std::vector<std::unique_ptr<Exporter>> all_;
  bool started_ = false;
};

}  // namespace gatehouse::app
