#include "admin/views.h"

#include "admin/members.h"
#include "telemetry/reasons.h"

namespace gatehouse::admin {

using codec::JsonWriter;

std::string to_json(const StatusView& status) {
  std::string out;
  JsonWriter json(out);
  {
    Members members(json);
    members.text("version", status.version);
    members.number("pid", status.pid);
    members.time("started", status.started);
    const auto uptime = std::chrono::duration_cast<std::chrono::seconds>(status.now - status.started).count();
    members.number("uptime_seconds", uptime);
    members.text("state", status.draining ? "draining" : "serving");
    members.text("config_file", status.config_file);
    members.number("generation", status.generation);
    if (status.last_reload) {
      members.name("last_reload");
      Members reload(json);
      reload.time("time", status.last_reload->time);
      reload.boolean("applied", status.last_reload->applied);
      reload.text("message", status.last_reload->message);
    }
    members.texts("needs_restart", status.needs_restart);
    members.number("shards", status.shards);
    members.number("services", status.services);
    members.number("routes", status.routes);
    members.number("requests", status.requests);
    members.number("requests_active", status.requests_active);
    members.number("denied", status.denied);
    members.number("endpoints", status.endpoints);
    members.number("endpoints_healthy", status.endpoints_healthy);
    members.number("bans", status.bans);
    members.number("log_lines_dropped", status.log_lines_dropped);
    members.name("listeners");
    write_list(json, status.listeners, [&](const ListenerView& listener) {
      Members one(json);
      one.text("name", listener.name);
      one.text("address", listener.address);
      one.text("zone", listener.zone);
      one.boolean("tls", listener.tls);
      one.number("connections", listener.connections);
    });
  }
  json.flush();
  return out;
}

std::string to_json(const ReloadReport& report) {
  std::string out;
  JsonWriter json(out);
  {
    Members members(json);
    members.text("config_file", report.config_file);
    members.boolean("applied", report.applied);
    members.number("generation", report.generation);
    members.texts("changes", report.changes);
    members.texts("needs_restart", report.needs_restart);
    members.texts("errors", report.errors);
  }
  json.flush();
  return out;
}

std::string to_json(const std::vector<BanView>& bans) {
  std::string out;
  JsonWriter json(out);
  json.raw("{\"bans\":");
  write_list(json, bans, [&](const BanView& ban) {
    Members one(json);
    one.text("network", ban.network.to_string());
    one.text("source", ban.source);
    one.text("reason", ban.reason);
    if (ban.until) one.time("until", *ban.until);
  });
  json.raw("}");
  json.flush();
  return out;
}

std::string to_json(const std::vector<ServiceView>& services) {
  std::string out;
  JsonWriter json(out);
  json.raw("{\"services\":");
  write_list(json, services, [&](const ServiceView& service) {
    Members one(json);
    one.text("name", service.name);
    one.text("balance", service.balance);
    one.boolean("circuit_open", service.circuit_open);
    one.name("endpoints");
    write_list(json, service.endpoints, [&](const EndpointView& endpoint) {
      Members member(json);
      member.text("url", endpoint.url);
      member.text("address", endpoint.address);
      member.text("health", endpoint.health);
      member.number("requests_active", endpoint.requests_active);
      member.number("requests", endpoint.requests);
      member.number("failures", endpoint.failures);
    });
  });
  json.raw("}");
  json.flush();
  return out;
}

std::string to_json(const std::vector<telemetry::StoredRecord>& records) {
  std::string out;
  JsonWriter json(out);
  json.raw("{\"requests\":");
  write_list(json, records, [&](const telemetry::StoredRecord& record) { json.raw(record.json); });
  json.raw("}");
  json.flush();
  return out;
}

std::string reasons_json(const std::vector<std::string>& codes) {
  std::string out;
  JsonWriter json(out);
  json.raw("{\"reasons\":");
  write_list(json, codes, [&](const std::string& code) {
    const telemetry::ReasonText& text = telemetry::text_of_reason(code);
    Members one(json);
    one.text("code", code);
    one.text("meaning", text.meaning);
    one.text("hint", text.hint);
  });
  json.raw("}");
  json.flush();
  return out;
}

}  // namespace gatehouse::admin
