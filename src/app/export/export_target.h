#pragma once
// What `telemetry.export[].to` names: which protocol, which server, and what it takes.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::app {

enum class ExportProtocol : std::uint8_t { otlp, influx, elastic, splunk, statsd, dogstatsd, syslog, lines };
enum class ExportSignal : std::uint8_t { records, traces, metrics };
std::string_view name_of(ExportSignal signal) noexcept;

struct ExportTarget {
  enum class Transport : std::uint8_t { http, udp, tcp, tls };
  ExportProtocol protocol{};
  Transport transport{};
  std::string url;   // of http: "https://host:4318", without a slash at its end
  std::string host;  // of the others
  std::uint16_t port = 0;

  bool takes(ExportSignal signal) const noexcept;
  // "otlp-collector.example-4318": of metrics' labels and of the spool's folder. Only [a-z0-9.-].
  std::string name() const;
};

// otlp+http(s)://, influx+http(s)://, elastic+http(s)://, splunk+http(s)://HOST[:PORT][/PATH]; statsd://, dogstatsd://,
// syslog:// (UDP), syslog+tcp://, syslog+tls://, tcp://, tls://HOST[:PORT]. The error says what is wrong.
Result<ExportTarget> parse_export_target(std::string_view text);

}  // namespace gatehouse::app
