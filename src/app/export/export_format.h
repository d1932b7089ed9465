#pragma once
// What a receiver gets: records, spans and metrics in the form that its protocol wants, batch by batch.
//
// A batch's body is a whole HTTP request's; of syslog it is messages with octet counting (RFC 6587 §3.4.1), which the
// sender of datagrams takes apart again; of json_lines and StatsD it is lines.
//
// Thread safety: `begin`, `add` and `end` by any thread, one at a time for a body; `metrics` by one thread.

#include <optional>
#include <string>

#include "app/export/export_queue.h"
#include "gateway/telemetry_config.h"
#include "telemetry/access_log.h"
#include "telemetry/metric_lines.h"

namespace gatehouse::app {

// What a receiver gets whose configuration does not say; ErrorCode::invalid: it takes no such format.
Result<telemetry::AccessLogFormat> export_format_of(const ExportTarget& target, std::string_view format);

class ExportFormat {
 public:
  // `target` takes the format (export_format_of).
  ExportFormat(const ExportTarget& target, telemetry::AccessLogFormat format, const gateway::ExportConfig& config,
               WallTime started);

  void begin(ExportSignal signal, std::string& body) const;
  void add(ExportSignal signal, const telemetry::DecisionRecord& record, bool first, std::string& body) const;
  void end(ExportSignal signal, std::string& body) const;
  // All metrics as they are now; count 0: nothing has changed.
  ExportBatch metrics(const telemetry::Metrics& metrics, WallTime now);

 private:
  void add_line(const telemetry::DecisionRecord& record, std::string& body) const;
  void add_elastic(const telemetry::DecisionRecord& record, std::string& body) const;
  void add_splunk(const telemetry::DecisionRecord& record, std::string& body) const;
  void add_syslog(const telemetry::DecisionRecord& record, std::string& body) const;

  const ExportProtocol protocol_;
  const telemetry::AccessLogFormat format_;
  const WallTime started_;
  const std::string host_, pid_;
  std::string before_;  // of each record's line, as far as it is always the same
  telemetry::StatsdLines statsd_;
};

}  // namespace gatehouse::app
