// telemetry.events, telemetry.export
#include "app/config/scalars.h"
#include "app/config/table.h"
#include "app/export/export_format.h"
#include "base/ip.h"

namespace gatehouse::app {

using namespace gateway;

namespace {

Kind<std::string> receiver() {
  return text_form<std::string>(
      {.title = "PROTOCOL://HOST:PORT",
       .pattern = "^[a-z+]+://.+$",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (const auto target = parse_export_target(written); !target) {
           return Refusal{fmt::format("cannot export to {}: {}", in_quotes(written), target.error().message),
                          "otlp+http://127.0.0.1:4318"};
         }
         return into = written, std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

bool is_loopback(std::string_view host) noexcept {
  return host == "localhost" || host == "::1" || (host.starts_with("127.") && IpAddress::parse(host));
}

void check_export(Reader& reader, const Given& given, ExportConfig& config) {
  if (!given.good({"to"}) || !given.has("to")) return;
  const auto target = parse_export_target(config.to);
  if (!target) return;
  if (given.has("format")) {
    if (const auto format = export_format_of(*target, config.format); !format) {
      reader.error(given.at("format"), "value",
                   fmt::format("no {} for this receiver: {}", config.format, format.error().message),
                   "take the key out");
    }
  }
  const bool secured = target->url.starts_with("https://") || target->transport == ExportTarget::Transport::tls;
  if (!config.token.empty() && target->transport != ExportTarget::Transport::http) {
    reader.error(given.at("token"), "value", "this protocol has no place for a token", "take the key out");
  } else if (!config.token.empty() && !secured && !is_loopback(target->host)) {
    reader.error(given.at("token"), "value", "the token would travel where everybody can read it",
                 "say https in `to`, or use a collector on the loopback address");
  }
  if (!config.ca.empty() && !secured) {
    reader.error(given.at("ca"), "value", "without TLS there is nothing to verify", "say https or tls in `to`");
  }
  if (target->protocol == ExportProtocol::influx && config.database.empty()) {
    reader.error(given.at("to"), "value", "InfluxDB wants to know the database", "database: gatehouse");
  }
}

}  // namespace

const Object& export_object() {
  static const Object object =
      Object::of<ExportConfig>(
          "export",
          "A receiver: otlp+http://, influx+http://, elastic+http:// or splunk+http:// (or https), statsd://, "
          "dogstatsd://, syslog:// (UDP), syslog+tcp://, syslog+tls://, tcp:// or tls:// (JSON lines).",
          {
              key<&ExportConfig::to>("to", receiver(), "Protocol and address.",
                                     {.example = "otlp+http://127.0.0.1:4318", .required = true}),
              key<&ExportConfig::format>("format", word_of({"", "json", "ecs", "ocsf", "cef", "common"}), "Of records.",
                                         {.default_note = "ecs for Elasticsearch, json for others"}),
              key<&ExportConfig::index>("index", text(128), "Of Elasticsearch or Splunk.",
                                        {.default_note = "logs-gatehouse-default; what Splunk chooses"}),
              key<&ExportConfig::database>("database", text(128), "Of InfluxDB."),
              key<&ExportConfig::sourcetype>("sourcetype", text(128), "Of Splunk.",
                                             {.default_note = "gatehouse:access"}),
              key<&ExportConfig::metrics>("metrics", boolean(), "Whether it gets metrics, if it takes them."),
              key<&ExportConfig::traces>("traces", boolean(), "Whether it gets a span for each request."),
              key<&ExportConfig::records>("records", boolean(), "Whether it gets decision records."),
              key<&ExportConfig::token>("token", secret(), "What it wants to be shown.",
                                        {.example = "${env:GATEHOUSE_EXPORT_TOKEN}"}),
              key<&ExportConfig::ca>("ca", file_path(), "Authorities that may vouch for it.",
                                     {.default_note = "the system's"}),
              key<&ExportConfig::interval>("interval", duration(1s, 1h), "Between metrics."),
              key<&ExportConfig::sample_per_million>("sample", share(),
                                                     "Of requests that passed without remark, so many are told."),
              key<&ExportConfig::spool_bytes>("spool", size<std::uint64_t>(0, std::uint64_t{1} << 40),
                                              "On disk in data_dir/export, while it is away."),
          })
          .with_check<ExportConfig>(check_export);
  return object;
}

const Object& events_object() {
  static const Object object = Object::of<EventsConfig>(
      "events",
      "Requests that were denied, slowed down, remarked upon or failed, a sample of the others, and what people and "
      "administrators did: in data_dir/events.db, or in the PostgreSQL of state.store. Without an admin API nothing is "
      "kept, since nobody could ask.",
      {
          key<&EventsConfig::keep>("keep", boolean(), "Whether anything is kept."),
          key<&EventsConfig::age_max>("age", duration(1h, 24h * 3650), "How long."),
          key<&EventsConfig::bytes_max>("size", size<std::uint64_t>(1 << 20, std::uint64_t{1} << 44),
                                        "Of all of them, about; then the oldest go."),
          key<&EventsConfig::sample_per_million>("sample", share(),
                                                 "Of requests that passed without remark, so many are kept."),
      });
  return object;
}

}  // namespace gatehouse::app
