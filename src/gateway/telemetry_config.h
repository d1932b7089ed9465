#pragma once
// What a configuration says about what is told, kept and proved: `telemetry` and `audit`.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/secret_bytes.h"
#include "gateway/address.h"

namespace gatehouse::gateway {

using namespace std::chrono_literals;

struct AccessLogConfig {
  std::string to = "stdout";  // stdout | off | path | syslog://host[:port]
  std::string format = "json";
};
// What is kept of requests and of other security events, to be searched. Without an admin API there is nobody to ask.
struct EventsConfig {
  bool keep = true;
  Duration age_max = 24h * 30;
  std::uint64_t bytes_max = 1024ull * 1024 * 1024;  // of the database, about
  std::uint32_t sample_per_million = 10000;         // of requests that passed without remark
};
// Where metrics, traces or records go, beside the access log.
struct ExportConfig {
  std::string to;  // "otlp+http://host:4318", "statsd://host:8125", "influx+http://…", "elastic+https://…", "tcp://…"
  std::string format;  // of records: json | ecs | ocsf | cef | common; empty: what the receiver usually gets
  std::string index, database, sourcetype;             // of Elasticsearch, InfluxDB, Splunk
  bool metrics = true, traces = true, records = true;  // of those that the receiver takes
  SecretBytes token;
  std::string ca;
  Duration interval = 10s;                          // of metrics
  std::uint32_t sample_per_million = 1000000;       // of records and traces that passed without remark
  std::uint64_t spool_bytes = 64ull * 1024 * 1024;  // on disk, while the receiver is away
};
struct TelemetryConfig {
  AccessLogConfig access_log;
  std::optional<Address> metrics;
  EventsConfig events;
  std::vector<ExportConfig> exports;
  std::vector<std::string> mask{"password", "authorization", "cookie", "card_number"};
};
// The tamper-evident log of administrative acts, authentications, denials and key operations: `data_dir`/audit.
struct AuditConfig {
  bool enabled = true;
  bool denials = true;                   // of requests, too
  std::vector<std::string> checkpoints;  // where checkpoints are put beside the log: files, syslog://…, witnesses' URLs
  Duration checkpoint_interval = 10s;
};

}  // namespace gatehouse::gateway
