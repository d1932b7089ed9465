// Open Cybersecurity Schema Framework, 1.3.0. Classes and attributes: https://schema.ocsf.io/1.3.0/classes

#include <algorithm>
#include <array>

#include "telemetry/reasons.h"
#include "telemetry/record_formats.h"
#include "telemetry/render_fields.h"

namespace gatehouse::telemetry {
namespace {

using codec::JsonWriter;

enum class Class : std::uint16_t { detection = 2004, authentication = 3002, http = 4002, api = 6003 };

Class class_of(const RecordSummary& record) noexcept {
  if (record.waf != nullptr && record.waf->hit_count != 0) return Class::detection;
  const bool denied = record.verdict == Verdict::deny;
  // Nothing was shown: that is a request without authentication, not an attempt at one.
  const bool shown = record.reason != "auth.missing" && record.reason != "auth.login";
  if (denied && record.layer == Layer::authentication && shown) return Class::authentication;
  return denied || record.user.empty() ? Class::http : Class::api;
}

struct Method {
  std::string_view name;
  int http, api;  // activity_id in the two classes
};
constexpr std::array<Method, 9> kMethods{{{"CONNECT", 1, 99},
                                          {"DELETE", 2, 4},
                                          {"GET", 3, 2},
                                          {"HEAD", 4, 2},
                                          {"OPTIONS", 5, 2},
                                          {"POST", 6, 1},
                                          {"PUT", 7, 3},
                                          {"TRACE", 8, 99},
                                          {"PATCH", 99, 3}}};

// Null: one that is in no list.
const Method* find_method(std::string_view name) noexcept {
  const auto found = std::find_if(kMethods.begin(), kMethods.end(), [&](const Method& m) { return m.name == name; });
  return found == kMethods.end() ? nullptr : &*found;
}

int activity_of(Class type, std::string_view method) noexcept {
  if (type == Class::detection || type == Class::authentication) return 1;  // Create; Logon
  const Method* known = find_method(method);
  if (known == nullptr) return method.empty() ? 0 : 99;
  return type == Class::http ? known->http : known->api;
}

// 1 informational … 5 critical.
int severity_of(const RecordSummary& record) noexcept {
  int worst = record.verdict == Verdict::deny ? 3 : record.verdict == Verdict::delay || record.status >= 500 ? 2 : 1;
  if (record.waf == nullptr) return worst;
  for (const WafHit& hit : record.waf->all()) {
    const std::string_view word = hit.severity;
    if (word == "emergency" || word == "alert" || word == "critical") return 5;
    if (word == "error") worst = std::max(worst, 4);
    if (word == "warning") worst = std::max(worst, 3);
    if (word == "notice") worst = std::max(worst, 2);
  }
  return worst;
}

bool is_host_name(std::string_view name) noexcept {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  if (name.empty() || name.size() > 253) return false;
  char before = '.';
  for (const char c : name) {
    if (!alphanumeric(c) && (c != '-' || before == '.') && (c != '.' || before == '.' || before == '-')) return false;
    before = c;
  }
  return alphanumeric(before);
}

void append_metadata(JsonWriter& json, const RecordSummary& record, Class type) {
  json.raw(
      R"(,"metadata":{"version":"1.3.0","product":{"name":"Gatehouse","vendor_name":"Gatehouse","version":")" GATEHOUSE_VERSION
      R"("},"log_name":"access")");
  if (type == Class::http || type == Class::detection) json.raw(R"(,"profiles":["security_control"])");
  text_if_any(json, R"(,"uid":")", record.request_id);
  text_if_any(json, R"(,"correlation_uid":")", trace_of(record));
  text_if_any(json, R"(,"event_code":")", record.reason);
  json.raw("}");
}

// Of the profile security_control.
void append_disposition(JsonWriter& json, const RecordSummary& record) {
  switch (record.verdict) {
    case Verdict::pass: json.raw(R"(,"action_id":1,"action":"Allowed","disposition_id":1)"); break;
    case Verdict::deny: json.raw(R"(,"action_id":2,"action":"Denied","disposition_id":2)"); break;
    case Verdict::delay: json.raw(R"(,"action_id":1,"action":"Allowed","disposition_id":14)"); break;
    case Verdict::answer: json.raw(R"(,"action_id":99,"action":"Answered","disposition_id":99)"); break;
  }
}

void append_host(JsonWriter& json, std::string_view host) {
  if (host.empty()) return;
  text_field(json, is_host_name(host) ? R"(,"hostname":")" : R"(,"domain":")", host);
  json.raw("\"");
}

void append_url(JsonWriter& json, const RecordSummary& record) {
  text_field(json, R"("url":{"path":")", record.path, kPathBytesMax);
  json.raw(record.tls.empty() ? R"(","scheme":"http")" : R"(","scheme":"https")");
  append_host(json, split_host(record.host).name);
  json.raw("}");
}

void append_http_request(JsonWriter& json, const RecordSummary& record) {
  json.raw(R"(,"http_request":{)");
  append_url(json, record);
  // The schema lists the methods; any other is in activity_name.
  const Method* known = find_method(record.method);
  if (known != nullptr && known->http != 99) text_if_any(json, R"(,"http_method":")", record.method);
  if (record.protocol.starts_with("HTTP/")) text_if_any(json, R"(,"version":")", record.protocol.substr(5));
  text_if_any(json, R"(,"uid":")", record.request_id);
  number_field(json, R"(,"length":)", record.bytes_in);
  json.raw("}");
}

void append_source(JsonWriter& json, const RecordSummary& record) {
  char buffer[INET6_ADDRSTRLEN];
  const std::string_view ip = format_ip(record.client_ip, buffer);
  json.raw(ip.empty() ? R"("src_endpoint":{"name":"unix)" : R"("src_endpoint":{"ip":")");
  json.raw(ip);
  json.raw("\"");
  text_if_any(json, R"(,"zone":")", record.zone);
  json.raw("}");
}

void append_destination(JsonWriter& json, const RecordSummary& record) {
  text_field(json, R"("dst_endpoint":{"interface_name":")", record.listener);
  json.raw("\"");
  text_if_any(json, R"(,"svc_name":")", record.service);
  append_host(json, split_host(record.host).name);
  json.raw("}");
}

void append_user(JsonWriter& json, std::string_view user) {
  text_field(json, R"("user":{"name":")", user.empty() ? "unknown" : user);
  json.raw(R"("})");
}

void append_http(JsonWriter& json, const RecordSummary& record) {
  append_disposition(json, record);
  append_http_request(json, record);
  json.raw(R"(,"http_response":{"code":)");
  json.number(record.status);
  number_field(json, R"(,"length":)", record.bytes_out);
  number_field(json, R"(,"latency":)", record.upstream_us / 1000);
  json.raw("},");
  append_source(json, record);
  json.raw(",");
  append_destination(json, record);
  number_field(json, R"(,"traffic":{"bytes_in":)", record.bytes_in);
  number_field(json, R"(,"bytes_out":)", record.bytes_out);
  number_field(json, R"(,"bytes":)", record.bytes_in + record.bytes_out);
  json.raw("}");
  if (record.tls.starts_with("TLSv")) {
    text_field(json, R"(,"tls":{"version":")", record.tls.substr(4));
    json.raw(R"("})");
  }
}

void append_api(JsonWriter& json, const RecordSummary& record) {
  text_field(json, R"(,"api":{"operation":")", record.method);
  text_field(json, " ", record.route);
  json.raw("\"");
  text_if_any(json, R"(,"service":{"name":")", record.service);
  if (!record.service.empty()) json.raw("}");
  text_field(json, R"(,"request":{"uid":")", record.request_id);
  json.raw(R"("},"response":{"code":)");
  json.number(record.status);
  json.raw(R"(}},"actor":{)");
  append_user(json, record.user);
  json.raw("}");
  append_http_request(json, record);
  json.raw(",");
  append_source(json, record);
  json.raw(",");
  append_destination(json, record);
}

void append_authentication(JsonWriter& json, const RecordSummary& record) {
  json.raw(",");
  append_user(json, record.user);
  text_if_any(json, R"(,"auth_protocol_id":99,"auth_protocol":")", record.auth);
  json.raw(R"(,"is_remote":true,"logon_type_id":3,)");
  append_source(json, record);
  json.raw(",");
  append_destination(json, record);
  append_http_request(json, record);
}

void append_rule(JsonWriter& json, const WafHit& hit) {
  number_field(json, R"({"type_id":1,"uid":")", hit.rule);
  json.raw("\"");
  text_if_any(json, R"(,"name":")", hit.message, WafHit::kTextBytesMax);
  json.raw("}");
}

void append_detection(JsonWriter& json, const RecordSummary& record) {
  append_disposition(json, record);
  const auto hits = record.waf->all();
  const std::string_view title = hits[0].message;
  text_field(json, R"(,"finding_info":{"title":")", title.empty() ? "an inspection rule matched" : title);
  text_field(json, R"(","uid":")", record.request_id);
  json.raw(R"(","data_sources":["http_activity"],"analytic":)");
  append_rule(json, hits[0]);
  for (std::size_t i = 1; i < hits.size(); ++i) {
    json.raw(i == 1 ? R"(,"related_analytics":[)" : ",");
    append_rule(json, hits[i]);
  }
  if (hits.size() > 1) json.raw("]");
  for (std::size_t i = 0; i < hits[0].tag_count; ++i) {
    text_field(json, i == 0 ? R"(,"types":[")" : R"(,")", hits[0].tags[i], WafHit::kTextBytesMax);
    json.raw(i + 1 == hits[0].tag_count ? R"("])" : R"(")");
  }
  json.raw(R"(},"evidences":[{)");
  append_source(json, record);
  json.raw(",");
  append_destination(json, record);
  json.raw(",");
  append_url(json, record);
  if (!record.user.empty()) {
    json.raw(",");
    append_user(json, record.user);
  }
  text_field(json, R"(,"data":{"method":")", record.method);
  json.raw(R"(","status":)");
  json.number(record.status);
  json.raw(R"(,"score":)");
  json.number(record.waf->score);
  json.raw(R"(,"threshold":)");
  json.number(record.waf->threshold);
  json.raw(R"(,"matches":[)");
  for (std::size_t i = 0; i < hits.size(); ++i) {
    number_field(json, i == 0 ? R"({"rule":)" : R"(,{"rule":)", hits[i].rule);
    json.raw(R"(,"score":)");
    json.number(hits[i].score);
    text_if_any(json, R"(,"variable":")", hits[i].variable, WafHit::kTextBytesMax);
    text_if_any(json, R"(,"matched":")", hits[i].matched, WafHit::kTextBytesMax);
    json.raw("}");
  }
  json.raw("]}}]");
}

// Detection Finding's status is the state of its handling, which is new; the others say what became of the request.
void append_status(JsonWriter& json, const RecordSummary& record, Class type) {
  if (type == Class::detection) {
    json.raw(R"(,"status_id":1)");
  } else if (record.status == 0) {
    json.raw(R"(,"status_id":0)");
  } else {
    json.raw(record.verdict == Verdict::deny || record.status >= 500 ? R"(,"status_id":2)" : R"(,"status_id":1)");
  }
  json.raw(R"(,"status_code":")");
  json.number(record.status);
  json.raw("\"");
  if (!record.reason.empty()) text_if_any(json, R"(,"status_detail":")", text_of_reason(record.reason).meaning);
}

void append_unmapped(JsonWriter& json, const DecisionRecord& record) {
  json.raw(R"(,"unmapped":{"verdict":")");
  json.raw(name_of(record.verdict));
  json.raw(R"(","layer":")");
  json.raw(name_of(record.layer));
  json.raw("\"");
  text_if_any(json, R"(,"route":")", record.route);
  text_if_any(json, R"(,"endpoint":")", record.endpoint);
  text_if_any(json, R"(,"authentication":")", record.auth);
  number_field(json, R"(,"duration_us":)", record.duration_us);
  number_field(json, R"(,"upstream_us":)", record.upstream_us);
  number_field(json, R"(,"gatehouse_us":)", record.gatehouse_us);
  append_decisions(json, record);
  json.raw("}");
}

}  // namespace

void append_ocsf(const DecisionRecord& record, std::string& out) {
  JsonWriter json(out);
  const Class type = class_of(record);
  const int activity = activity_of(type, record.method);
  const auto uid = static_cast<unsigned>(type);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count();
  json.raw(R"({"time":)");
  json.number(std::max<std::int64_t>(ms, 0));
  number_field(json, R"(,"class_uid":)", uid);
  number_field(json, R"(,"category_uid":)", uid / 1000);
  json.raw(R"(,"activity_id":)");
  json.number(activity);
  if (activity == 99) text_if_any(json, R"(,"activity_name":")", record.method);
  number_field(json, R"(,"type_uid":)", uid * 100 + static_cast<unsigned>(activity));
  json.raw(R"(,"severity_id":)");
  json.number(severity_of(record));
  number_field(json, R"(,"duration":)", record.duration_us / 1000);
  append_status(json, record, type);
  append_metadata(json, record, type);
  switch (type) {
    case Class::http: append_http(json, record); break;
    case Class::api: append_api(json, record); break;
    case Class::authentication: append_authentication(json, record); break;
    case Class::detection: append_detection(json, record); break;
  }
  append_unmapped(json, record);
  json.raw("}");
}

}  // namespace gatehouse::telemetry
