// Elastic Common Schema. Field names and types: https://www.elastic.co/guide/en/ecs/8.11/ecs-field-reference.html

#include "telemetry/record_formats.h"
#include "telemetry/render_fields.h"

namespace gatehouse::telemetry {
namespace {

using codec::JsonWriter;

std::string_view outcome_of(const RecordSummary& record) noexcept {
  if (record.status == 0) return "unknown";
  return record.verdict == Verdict::deny || record.status >= 500 ? "failure" : "success";
}

// https://www.elastic.co/guide/en/ecs/8.11/ecs-category-field-values-reference.html: each type is one that one of the
// categories expects.
void append_event(JsonWriter& json, const DecisionRecord& record) {
  const bool found = record.waf != nullptr && record.waf->hit_count != 0;
  json.raw(found ? R"("event":{"kind":"alert","category":["web","network","intrusion_detection"],"type":["access",)"
                 : R"("event":{"kind":"event","category":["web","network"],"type":["access",)");
  json.raw(record.verdict == Verdict::deny ? R"("denied")" : R"("allowed")");
  if (record.status >= 500) json.raw(R"(,"error")");
  json.raw(R"(],"module":"gatehouse","dataset":"gatehouse.access","action":")");
  json.raw(name_of(record.verdict));
  json.raw(R"(","outcome":")");
  json.raw(outcome_of(record));
  text_field(json, R"(","id":")", record.request_id);
  text_if_any(json, R"(","code":")", record.reason);
  if (record.reason.empty()) json.raw("\"");
  number_field(json, R"(,"duration":)", record.duration_us * 1000);  // nanoseconds
  if (record.waf != nullptr) {
    json.raw(R"(,"risk_score":)");
    json.number(record.waf->score);
  }
  json.raw("}");
}

void append_http(JsonWriter& json, const RecordSummary& record) {
  text_field(json, R"(,"http":{"request":{"id":")", record.request_id);
  text_if_any(json, R"(","method":")", record.method);
  if (record.method.empty()) json.raw("\"");
  number_field(json, R"(,"bytes":)", record.bytes_in);
  number_field(json, R"(},"response":{"bytes":)", record.bytes_out);
  if (record.status != 0) {
    json.raw(R"(,"status_code":)");
    json.number(record.status);
  }
  json.raw("}");
  if (record.protocol.starts_with("HTTP/")) text_if_any(json, R"(,"version":")", record.protocol.substr(5));
  json.raw("}");
}

void append_parties(JsonWriter& json, const RecordSummary& record) {
  char buffer[INET6_ADDRSTRLEN];
  const std::string_view ip = format_ip(record.client_ip, buffer);
  for (const std::string_view side :
       {std::string_view(R"(,"source":{"ip":")"), std::string_view(R"(,"client":{"ip":")")}) {
    if (ip.empty()) break;
    json.raw(side);
    json.raw(ip);
    json.raw(R"("})");
  }
  const HostAndPort host = split_host(record.host);
  text_field(json, R"(,"url":{"path":")", record.path, kPathBytesMax);
  json.raw(record.tls.empty() ? R"(","scheme":"http")" : R"(","scheme":"https")");
  text_if_any(json, R"(,"domain":")", host.name);
  if (!host.port.empty()) {
    // A number has no leading zeros; 00080 is a port for some clients and none for JSON.
    const std::size_t digits = host.port.find_first_not_of('0');
    json.raw(R"(,"port":)");
    json.raw(digits == std::string_view::npos ? "0" : host.port.substr(digits));
  }
  json.raw("}");
  text_if_any(json, R"(,"user":{"name":")", record.user);
  if (!record.user.empty()) json.raw("}");
  if (!ip.empty() || !record.user.empty() || !host.name.empty()) {
    json.raw(R"(,"related":{)");
    std::string_view comma;
    const auto one = [&](std::string_view key, std::string_view value) {
      if (value.empty()) return;
      json.raw(comma);
      text_field(json, key, value);
      json.raw(R"("])");
      comma = ",";
    };
    one(R"("ip":[")", ip);
    one(R"("user":[")", record.user);
    one(R"("hosts":[")", host.name);
    json.raw("}");
  }
}

// `rule` holds one rule, the first that matched; all of them are under `gatehouse.waf`.
void append_rule(JsonWriter& json, const WafRecord& waf) {
  const WafHit& hit = waf.hits[0];
  number_field(json, R"(,"rule":{"id":")", hit.rule);
  text_if_any(json, R"(","name":")", hit.message, WafHit::kTextBytesMax);
  if (hit.message.empty()) json.raw("\"");
  json.raw(R"(,"ruleset":"waf"})");
}

void append_own(JsonWriter& json, const DecisionRecord& record) {
  json.raw(R"(,"gatehouse":{"layer":")");
  json.raw(name_of(record.layer));
  json.raw("\"");
  text_if_any(json, R"(,"listener":")", record.listener);
  text_if_any(json, R"(,"route":")", record.route);
  text_if_any(json, R"(,"endpoint":")", record.endpoint);
  text_if_any(json, R"(,"authentication":")", record.auth);
  number_field(json, R"(,"upstream_us":)", record.upstream_us);
  number_field(json, R"(,"own_us":)", record.gatehouse_us);
  append_decisions(json, record);
  if (record.waf != nullptr) {
    json.raw(R"(,"waf":{"score":)");
    json.number(record.waf->score);
    json.raw(R"(,"threshold":)");
    json.number(record.waf->threshold);
    json.raw(R"(,"rules":[)");
    bool first = true;
    for (const WafHit& hit : record.waf->all()) {
      number_field(json, first ? R"({"id":")" : R"(,{"id":")", hit.rule);
      json.raw(R"(","score":)");
      json.number(hit.score);
      text_if_any(json, R"(,"message":")", hit.message, WafHit::kTextBytesMax);
      text_if_any(json, R"(,"variable":")", hit.variable, WafHit::kTextBytesMax);
      text_if_any(json, R"(,"matched":")", hit.matched, WafHit::kTextBytesMax);
      json.raw("}");
      first = false;
    }
    json.raw("]}");
  }
  json.raw("}");
}

}  // namespace

void append_decisions(JsonWriter& json, const DecisionRecord& record) {
  bool first = true;
  for (std::size_t i = 0; i < record.layer_count; ++i) {
    const LayerDecision& decision = record.layers[i];
    if (!says_something(decision)) continue;
    json.raw(first ? R"(,"layers":[{"layer":")" : R"(,{"layer":")");
    json.raw(name_of(decision.layer));
    json.raw(R"(","verdict":")");
    json.raw(name_of(decision.verdict));
    json.raw(R"(","mode":")");
    json.raw(name_of(decision.mode));
    json.raw("\"");
    text_if_any(json, R"(,"reason":")", decision.reason);
    text_if_any(json, R"(,"evidence":")", decision.evidence);
    json.raw("}");
    first = false;
  }
  if (!first) json.raw("]");
}

void append_ecs(const DecisionRecord& record, std::string& out) {
  JsonWriter json(out);
  char time[kTimeBytes];
  json.raw(R"({"@timestamp":")");
  json.raw(format_time(record.time, time));
  json.raw(R"(","ecs":{"version":"8.11.0"},)");
  append_event(json, record);
  append_http(json, record);
  append_parties(json, record);
  text_if_any(json, R"(,"service":{"name":")", record.service);
  if (!record.service.empty()) json.raw("}");
  const std::string_view trace = trace_of(record);
  text_if_any(json, R"(,"trace":{"id":")", trace);
  if (!trace.empty()) json.raw("}");
  if (record.tls.starts_with("TLSv")) {
    text_field(json, R"(,"tls":{"version":")", record.tls.substr(4));
    json.raw(R"(","version_protocol":"tls"})");
  }
  json.raw(R"(,"network":{"direction":"inbound","protocol":"http"},"observer":{"vendor":"Gatehouse",)"
           R"("product":"Gatehouse","type":"proxy","version":")" GATEHOUSE_VERSION "\"");
  text_if_any(json, R"(,"ingress":{"zone":")", record.zone);
  if (!record.zone.empty()) json.raw("}");
  json.raw("}");
  if (record.waf != nullptr && record.waf->hit_count != 0) append_rule(json, *record.waf);
  append_own(json, record);
  json.raw("}");
}

}  // namespace gatehouse::telemetry
