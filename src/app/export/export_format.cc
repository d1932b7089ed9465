#include "app/export/export_format.h"

#include <fmt/format.h>
#include <unistd.h>

#include "codec/json_writer.h"
#include "telemetry/otlp.h"
#include "telemetry/record_formats.h"
#include "telemetry/render.h"

namespace gatehouse::app {
namespace {

using telemetry::AccessLogFormat;
using telemetry::DecisionRecord;

std::string host_name() {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return "-";
  return name;
}

telemetry::OtlpSignal otlp_signal(ExportSignal signal) noexcept {
  switch (signal) {
    case ExportSignal::records: return telemetry::OtlpSignal::logs;
    case ExportSignal::traces: return telemetry::OtlpSignal::traces;
    case ExportSignal::metrics: return telemetry::OtlpSignal::metrics;
  }
  return telemetry::OtlpSignal::logs;
}

bool is_json(AccessLogFormat format) noexcept {
  return format == AccessLogFormat::json || format == AccessLogFormat::ecs || format == AccessLogFormat::ocsf;
}

// What an entry of the two begins with, up to what is the record's own.
std::string beginning_of(ExportProtocol protocol, const gateway::ExportConfig& config, const std::string& host) {
  std::string text;
  codec::JsonWriter json(text);
  if (protocol == ExportProtocol::elastic) {
    json.raw(R"({"create":{"_index":)");
    json.string(config.index.empty() ? "logs-gatehouse-default" : config.index);
    json.raw(R"(,"_id":)");
  } else if (protocol == ExportProtocol::splunk) {
    json.raw(R"({"source":"gatehouse","host":)");
    json.string(host);
    json.raw(R"(,"sourcetype":)");
    json.string(config.sourcetype.empty() ? "gatehouse:access" : config.sourcetype);
    if (!config.index.empty()) {
      json.raw(R"(,"index":)");
      json.string(config.index);
    }
  }
  json.flush();
  return text;
}

}  // namespace

Result<AccessLogFormat> export_format_of(const ExportTarget& target, std::string_view format) {
  if (!target.takes(ExportSignal::records) || target.protocol == ExportProtocol::otlp) {
    if (!format.empty()) {
      return fail(ErrorCode::invalid, "this receiver has a form of its own", ErrorSource::configuration);
    }
    return AccessLogFormat::json;
  }
  const bool elastic = target.protocol == ExportProtocol::elastic;
  if (format.empty()) return elastic ? AccessLogFormat::ecs : AccessLogFormat::json;
  auto parsed = telemetry::parse_access_log_format(format);
  if (parsed && elastic && !is_json(*parsed)) {
    return fail(ErrorCode::invalid, "Elasticsearch takes JSON: ecs, ocsf or json", ErrorSource::configuration);
  }
  return parsed;
}

ExportFormat::ExportFormat(const ExportTarget& target, AccessLogFormat format, const gateway::ExportConfig& config,
                           WallTime started)
    : protocol_(target.protocol),
      format_(format),
      started_(started),
      host_(host_name()),
      pid_(std::to_string(getpid())),
      before_(beginning_of(protocol_, config, host_)),
      statsd_(protocol_ == ExportProtocol::dogstatsd ? telemetry::StatsdLines::Labels::tags
                                                     : telemetry::StatsdLines::Labels::in_name) {}

void ExportFormat::begin(ExportSignal signal, std::string& body) const {
  if (protocol_ == ExportProtocol::otlp) telemetry::append_otlp_head(otlp_signal(signal), body);
}

void ExportFormat::end(ExportSignal signal, std::string& body) const {
  if (protocol_ == ExportProtocol::otlp) telemetry::append_otlp_tail(otlp_signal(signal), body);
}

void ExportFormat::add(ExportSignal signal, const DecisionRecord& record, bool first, std::string& body) const {
  switch (protocol_) {
    case ExportProtocol::otlp:
      if (!first) body += ',';
      signal == ExportSignal::traces ? telemetry::append_otlp_span(record, body)
                                     : telemetry::append_otlp_log(record, body);
      break;
    case ExportProtocol::elastic: add_elastic(record, body); break;
    case ExportProtocol::splunk: add_splunk(record, body); break;
    case ExportProtocol::syslog: add_syslog(record, body); break;
    case ExportProtocol::lines: add_line(record, body); break;
    case ExportProtocol::influx:
    case ExportProtocol::statsd:
    case ExportProtocol::dogstatsd: break;  // metrics only
  }
}

void ExportFormat::add_line(const DecisionRecord& record, std::string& body) const {
  append_record(format_, record, body);
  body += '\n';
}

// With the request's id as the document's: what is sent twice is there once.
void ExportFormat::add_elastic(const DecisionRecord& record, std::string& body) const {
  body += before_;
  {
    codec::JsonWriter json(body);
    json.string(record.request_id);
  }
  body += "}}\n";
  add_line(record, body);
}

void ExportFormat::add_splunk(const DecisionRecord& record, std::string& body) const {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count();
  body += before_;
  fmt::format_to(std::back_inserter(body), R"(,"time":{}.{:03},"event":)", ms / 1000, ms % 1000);
  if (is_json(format_)) {
    append_record(format_, record, body);
  } else {
    std::string line;
    append_record(format_, record, line);
    codec::JsonWriter json(body);
    json.string(line);
  }
  body += "}\n";
}

void ExportFormat::add_syslog(const DecisionRecord& record, std::string& body) const {
  constexpr int kLocal0 = 16 * 8, kWarning = 4, kInformational = 6;
  const bool odd = record.verdict == telemetry::Verdict::deny || record.waf != nullptr || record.status >= 500;
  char time[telemetry::kTimeBytes];
  std::string message = fmt::format("<{}>1 {} {} gatehouse {} access - ", kLocal0 + (odd ? kWarning : kInformational),
                                    telemetry::format_time(record.time, time), host_, pid_);
  append_record(format_, record, message);
  fmt::format_to(std::back_inserter(body), "{} ", message.size());
  body += message;
}

ExportBatch ExportFormat::metrics(const telemetry::Metrics& metrics, WallTime now) {
  ExportBatch batch{.signal = ExportSignal::metrics};
  std::size_t count = 0;
  switch (protocol_) {
    case ExportProtocol::otlp:
      begin(ExportSignal::metrics, batch.body);
      count = telemetry::append_otlp_metrics(metrics, started_, now, batch.body);
      end(ExportSignal::metrics, batch.body);
      break;
    case ExportProtocol::influx: count = telemetry::append_influx(metrics, now, batch.body); break;
    case ExportProtocol::statsd:
    case ExportProtocol::dogstatsd: count = statsd_.append(metrics, batch.body); break;
    case ExportProtocol::elastic:
    case ExportProtocol::splunk:
    case ExportProtocol::syslog:
    case ExportProtocol::lines: break;  // records only
  }
  batch.count = static_cast<std::uint32_t>(count);
  return batch;
}

}  // namespace gatehouse::app
