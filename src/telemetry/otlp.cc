#include "telemetry/otlp.h"

#include <optional>

#include "telemetry/metric_reading.h"
#include "telemetry/render_fields.h"
#include "telemetry/trace.h"

namespace gatehouse::telemetry {
namespace {

using codec::JsonWriter;

constexpr std::string_view kResource =
    R"("resource":{"attributes":[{"key":"service.name","value":{"stringValue":"gatehouse"}},)"
    R"({"key":"service.version","value":{"stringValue":")" GATEHOUSE_VERSION R"("}}]},)";
constexpr std::string_view kScope = R"("scope":{"name":"gatehouse","version":")" GATEHOUSE_VERSION R"("},)";

std::uint64_t nanoseconds_of(WallTime time) noexcept {
  const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  return ns < 0 ? 0 : static_cast<std::uint64_t>(ns);
}

// A list of attributes; those without a value are left out.
class Attributes {
 public:
  explicit Attributes(JsonWriter& json) : json_(json) { json_.raw(R"("attributes":[)"); }
  void text(std::string_view key, std::string_view value, std::size_t bytes_max = kTextBytesMax) {
    if (value.empty()) return;
    begin(key);
    text_field(json_, R"("stringValue":")", value, bytes_max);
    json_.raw(R"("}})");
  }
  void number(std::string_view key, std::uint64_t value) {
    begin(key);
    number_field(json_, R"("intValue":")", value);
    json_.raw(R"("}})");
  }
  void end() { json_.raw("]"); }

 private:
  void begin(std::string_view key) {
    json_.raw(comma_);
    json_.raw(R"({"key":")");
    json_.raw(key);
    json_.raw(R"(","value":{)");
    comma_ = ",";
  }
  JsonWriter& json_;
  std::string_view comma_;
};

void append_attributes(JsonWriter& json, const DecisionRecord& record) {
  char buffer[INET6_ADDRSTRLEN];
  const HostAndPort host = split_host(record.host);
  Attributes list(json);
  list.text("http.request.method", record.method);
  list.text("url.path", record.path, kPathBytesMax);
  list.text("url.scheme", record.tls.empty() ? "http" : "https");
  list.text("server.address", host.name);
  list.text("client.address", format_ip(record.client_ip, buffer));
  list.text("network.protocol.name", "http");
  if (record.protocol.starts_with("HTTP/")) list.text("network.protocol.version", record.protocol.substr(5));
  if (record.tls.starts_with("TLSv")) list.text("tls.protocol.version", record.tls.substr(4));
  if (record.status != 0) list.number("http.response.status_code", static_cast<std::uint64_t>(record.status));
  if (record.status == 0 || record.status >= 500)
    list.text("error.type", record.reason.empty() ? "_OTHER" : record.reason);
  list.text("user.name", record.user);
  list.text("gatehouse.request_id", record.request_id);
  list.text("gatehouse.verdict", name_of(record.verdict));
  list.text("gatehouse.layer", name_of(record.layer));
  list.text("gatehouse.reason", record.reason);
  list.text("gatehouse.zone", record.zone);
  list.text("gatehouse.listener", record.listener);
  list.text("gatehouse.route", record.route);
  list.text("gatehouse.service", record.service);
  list.text("gatehouse.endpoint", record.endpoint);
  list.text("gatehouse.authentication", record.auth);
  list.number("gatehouse.bytes_in", record.bytes_in);
  list.number("gatehouse.bytes_out", record.bytes_out);
  list.number("gatehouse.upstream_us", record.upstream_us);
  list.number("gatehouse.own_us", record.gatehouse_us);
  if (record.waf != nullptr) {
    std::string rules;
    for (const WafHit& hit : record.waf->all()) rules += (rules.empty() ? "" : ",") + std::to_string(hit.rule);
    list.text("gatehouse.waf.rules", rules);
    list.number("gatehouse.waf.score", static_cast<std::uint64_t>(std::max(record.waf->score, 0)));
  }
  list.end();
}

void append_ids(JsonWriter& json, const DecisionRecord& record) {
  const std::string_view trace = trace_of(record);
  if (trace.empty()) return;
  const SpanId span = span_of_request(record.request_id);
  text_field(json, R"("traceId":")", trace);
  text_field(json, R"(","spanId":")", {span.data(), span.size()});
  json.raw(R"(",)");
}

class Points final : public MetricReader {
 public:
  Points(JsonWriter& json, WallTime start, WallTime now)
      : json_(json), start_(nanoseconds_of(start)), now_(nanoseconds_of(now)) {}

  void take(const MetricReading& reading) override {
    if (reading.info == info_) {
      json_.raw(",");
    } else {
      close();
      open(*reading.info);
    }
    ++count_;
    json_.raw("{");
    Attributes labels(json_);
    for (std::size_t i = 0; i < reading.labels.size(); ++i) labels.text(reading.info->labels[i], reading.labels[i]);
    labels.end();
    if (info_->type != MetricType::gauge) time(R"(,"startTimeUnixNano":")", start_);
    time(R"(,"timeUnixNano":")", now_);
    if (info_->type == MetricType::histogram) {
      histogram(reading);
    } else {
      json_.raw(R"(,"asDouble":)");
      json_.number(reading.value);
    }
    json_.raw("}");
  }

  std::size_t finish() {
    close();
    return count_;
  }

 private:
  void open(const MetricInfo& info) {
    if (any_) json_.raw(",");
    any_ = true;
    info_ = &info;
    std::string_view name = info.name;
    if (info.type == MetricType::counter) name.remove_suffix(6);  // "_total" is what a Prometheus puts behind sums
    text_field(json_, R"({"name":")", name);
    text_field(json_, R"(","description":")", info.help);
    json_.raw(info.unit == MetricUnit::nanoseconds ? R"(","unit":"s",)" : R"(","unit":"1",)");
    constexpr std::string_view kKinds[] = {R"("sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[)",
                                           R"("gauge":{"dataPoints":[)",
                                           R"("histogram":{"aggregationTemporality":2,"dataPoints":[)"};
    json_.raw(kKinds[static_cast<std::size_t>(info.type)]);
  }
  void close() {
    if (info_ != nullptr) json_.raw("]}}");
    info_ = nullptr;
  }
  void time(std::string_view key, std::uint64_t ns) {
    number_field(json_, key, ns);
    json_.raw("\"");
  }
  void histogram(const MetricReading& reading) {
    number_field(json_, R"(,"count":")", reading.count);
    json_.raw(R"(","sum":)");
    json_.number(reading.sum);
    json_.raw(R"(,"bucketCounts":[)");
    for (std::size_t i = 0; i < reading.buckets.size(); ++i) {
      number_field(json_, i == 0 ? "\"" : ",\"", reading.buckets[i]);
      json_.raw("\"");
    }
    json_.raw(R"(],"explicitBounds":[)");
    const BucketBounds& bounds = buckets_of(info_->id);
    for (std::size_t i = 0; i < bounds.size(); ++i) {
      if (i != 0) json_.raw(",");
      json_.number(static_cast<double>(bounds[i]) / 1e9);
    }
    json_.raw("]");
  }

  JsonWriter& json_;
  const std::uint64_t start_, now_;
  const MetricInfo* info_ = nullptr;
  bool any_ = false;
  std::size_t count_ = 0;
};

}  // namespace

void append_otlp_head(OtlpSignal signal, std::string& out) {
  constexpr std::string_view kOuter[] = {R"({"resourceSpans":[{)", R"({"resourceLogs":[{)", R"({"resourceMetrics":[{)"};
  constexpr std::string_view kMiddle[] = {R"("scopeSpans":[{)", R"("scopeLogs":[{)", R"("scopeMetrics":[{)"};
  constexpr std::string_view kInner[] = {R"("spans":[)", R"("logRecords":[)", R"("metrics":[)"};
  const auto index = static_cast<std::size_t>(signal);
  for (const std::string_view part : {kOuter[index], kResource, kMiddle[index], kScope, kInner[index]}) out += part;
}

void append_otlp_tail(OtlpSignal /*signal*/, std::string& out) { out += "]}]}]}"; }

void append_otlp_span(const DecisionRecord& record, std::string& out) {
  JsonWriter json(out);
  json.raw("{");
  append_ids(json, record);
  text_field(json, R"("name":")", record.method.empty() ? "HTTP" : record.method);
  if (!record.route.empty()) text_field(json, " ", record.route);
  const std::uint64_t start = nanoseconds_of(record.time);
  number_field(json, R"(","kind":2,"startTimeUnixNano":")", start);
  number_field(json, R"(","endTimeUnixNano":")", start + record.duration_us * 1000);
  json.raw(R"(",)");
  append_attributes(json, record);
  // A refused client is no error of this server; one that went away without an answer is none either.
  if (record.status >= 500) text_field(json, R"(,"status":{"code":2,"message":")", record.reason);
  json.raw(record.status >= 500 ? R"("}})" : "}");
}

void append_otlp_log(const DecisionRecord& record, std::string& out) {
  JsonWriter json(out);
  const std::uint64_t end = nanoseconds_of(record.time) + record.duration_us * 1000;
  number_field(json, R"({"timeUnixNano":")", end);
  number_field(json, R"(","observedTimeUnixNano":")", end);
  const bool bad = record.status >= 500, odd = record.verdict == Verdict::deny || record.waf != nullptr;
  json.raw(bad   ? R"(","severityNumber":17,"severityText":"ERROR",)"
           : odd ? R"(","severityNumber":13,"severityText":"WARN",)"
                 : R"(","severityNumber":9,"severityText":"INFO",)");
  append_ids(json, record);
  text_field(json, R"("body":{"stringValue":")", record.method);
  text_field(json, " ", record.path, kPathBytesMax);
  json.raw(" ");
  json.number(record.status);
  if (!record.reason.empty()) text_field(json, " ", record.reason);
  json.raw(R"("},)");
  append_attributes(json, record);
  json.raw("}");
}

std::size_t append_otlp_metrics(const Metrics& metrics, WallTime start, WallTime now, std::string& out) {
  JsonWriter json(out);
  Points points(json, start, now);
  metrics.read(points);
  return points.finish();
}

}  // namespace gatehouse::telemetry
