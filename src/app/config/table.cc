// The root, telemetry, admin, state; and what must hold across the file.
#include "app/config/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "app/config/built_in.h"
#include "app/config/scalars.h"
#include "gateway/routing/router.h"
#include "telemetry/log_destination.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

class VersionKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    const auto version = node.integer();
    if (!version) return reader.wrong_type(node, "the number 1");
    if (*version != 1) {
      return reader.error(node.position(), "value",
                          fmt::format("this Gatehouse doesn't know version {} of the file format", *version),
                          "version: 1");
    }
    *static_cast<std::uint32_t*>(into) = 1;
    return true;
  }
  void write(const Writer&, const void*, Json& to) const override { to = 1; }
  void schema(Json& to, Json&) const override { to = {{"const", 1}}; }
  std::string title() const override { return "the number 1"; }
};

Parsed parse_log_to(Reader& reader, std::string_view written, YamlPosition, std::string& into) {
  static constexpr std::string_view kForms = "stdout, off, a path, syslog://host:port or syslog+tcp://host:port";
  // A file name has a slash or a dot; a bare word is more likely a slip.
  const bool word = written.find_first_of("./:") == std::string_view::npos;
  if (word && written != "stdout" && written != "off") {
    return not_a_choice(written, {"stdout", "off", "syslog://host:port", "./PATH"});
  }
  const bool path = !word && written.find("://") == std::string_view::npos;
  into = path ? reader.absolute(written) : std::string(written);
  if (const auto target = telemetry::parse_log_target(into); !target) {
    return Refusal{fmt::format("cannot log to {}: {}", in_quotes(written), target.error().message),
                   std::string(kForms)};
  }
  return std::nullopt;
}

const Object& access_log_object() {
  static const Object object =
      Object::of<AccessLogConfig>(
          "access_log", "One line for each request.",
          {
              key<&AccessLogConfig::to>(
                  "to",
                  text_form<std::string>({.title = "`stdout`, `off`, path, syslog://host:port",
                                          .parse = parse_log_to,
                                          .format = [](const Writer&, const std::string& value) { return value; }}),
                  "Where it goes. SIGUSR1 opens a file again, for rotation."),
              key<&AccessLogConfig::format>("format", word_of({"json", "ecs", "ocsf", "cef", "common"}),
                                            "How a line looks."),
          })
          .with_shorthand("to");
  return object;
}

struct MetricsAddress {  // `metrics: { address: … }` fills one member of TelemetryConfig
  static const Object& object() {
    static const Object metrics =
        Object::of<Address>("metrics", "Prometheus metrics at GET /metrics.",
                            {key_of<Address>("address", listen_address(), "Where they are served.",
                                             {.example = "127.0.0.1:9464", .required = true})})
            .with_shorthand("address");
    return metrics;
  }
};

// Two sockets can't have one address. Port 0 is another one each time.
void check_addresses(Reader& reader, const Given& given, const Config& config) {
  std::map<std::string, std::uint32_t> lines;
  const auto take = [&](const Address& address, YamlPosition position) {
    if ((address.host.empty() && address.unix_path.empty()) || (address.unix_path.empty() && address.port == 0)) return;
    const auto [it, fresh] = lines.emplace(address.to_string(), position.line);
    if (fresh) return;
    reader.error(position, "conflict", fmt::format("the address {} is already taken", address.to_string()),
                 fmt::format("line {} listens there", it->second));
  };
  const auto nested = [](const YamlNode* node, std::string_view key) {
    const codec::YamlEntry* entry = node != nullptr ? node->find(key) : nullptr;
    return entry != nullptr ? &entry->value : node;
  };
  if (const YamlNode* list = given.value("listeners")) {
    for (std::size_t i = 0; i < config.listeners.size() && i < list->items().size(); ++i) {
      take(config.listeners[i].address, nested(&list->items()[i], "address")->position());
    }
  }
  if (const YamlNode* metrics = nested(given.value("telemetry"), "metrics"); metrics && config.telemetry.metrics) {
    take(*config.telemetry.metrics, nested(metrics, "address")->position());
  }
  if (const YamlNode* admin = given.value("admin")) take(config.admin.address, nested(admin, "address")->position());
}

// A service of high sensitivity turns on every layer: what the file turns off for all is on again for its routes.
void raise_sensitive_routes(Config& config) {
  for (RouteConfig& route : config.routes) {
    const bool high = std::any_of(route.services.begin(), route.services.end(), [&](const WeightedService& s) {
      return s.service < config.services.size() && config.services[s.service].sensitivity == Sensitivity::high;
    });
    if (!high) continue;
    for (const auto& [layer, mode] : config.modes) {
      if (mode == Mode::off && config.mode(layer, &route) == Mode::off) route.modes.emplace_back(layer, Mode::enforce);
    }
    if (config.waf.mode == Mode::off && !route.waf.mode) route.waf.mode = Mode::enforce;
  }
}

void note_ban_of_all(Reader& reader, const Given& given, const Config& config) {
  for (std::size_t i = 0; i < config.bans.deny.size(); ++i) {
    if (!covers_everyone(config.bans.deny[i])) continue;
    const YamlNode* bans = given.value("bans");
    const codec::YamlEntry* deny = bans ? bans->find("deny") : nullptr;
    if (deny != nullptr && i < deny->value.items().size()) {
      reader.warning(deny->value.items()[i].position(), "value", "this bans every client",
                     "leave it out, or list what is allowed under zones");
    }
  }
}

// Files are relative to the configuration's; `crs` is the installed rule set.
void resolve_rules(const Reader& reader, WafConfig& waf) {
  for (std::string& rules : waf.rules) {
    if (rules != "crs") rules = reader.absolute(rules);
  }
}

// Two routes of which neither is more specific: which one answers would depend on their order in the file.
void check_ambiguities(Reader& reader, const Given& given, const Config& config) {
  const YamlNode* list = given.value("routes");
  if (list == nullptr || !given.good({"routes"})) return;
  for (const Ambiguity& pair : find_ambiguities(config)) {
    const YamlNode& second = list->items()[pair.second];
    const codec::YamlEntry* match = second.find("match");
    reader.error(match != nullptr ? match->position : second.position(), "ambiguous_route",
                 fmt::format("the routes \"{}\" and \"{}\" are equally specific for {}", config.routes[pair.first].name,
                             config.routes[pair.second].name, pair.example),
                 fmt::format("make one more specific (the other is on line {}), or merge them",
                             list->items()[pair.first].position().line));
  }
}

// Names of what identity adds, and a listener with TLS for its cookies and tokens.
void check_identity(Reader& reader, const Given& given, const Config& config) {
  if (!config.identity || !given.good({"identity"})) return;
  for (const ServiceConfig& service : config.services) {
    if (service.name != kIdentityService) continue;
    reader.error(given.key("services"), "conflict", "the service name \"identity\" is taken by the identity provider",
                 "name the service differently");
  }
  for (const RouteConfig& route : config.routes) {
    if (route.name != "identity" && route.name != "identity-metadata") continue;
    reader.error(given.key("routes"), "conflict",
                 fmt::format("the route name \"{}\" is taken by the identity provider", route.name),
                 "name the route differently");
  }
  const bool tls = std::any_of(config.listeners.begin(), config.listeners.end(),
                               [](const ListenerConfig& listener) { return listener.tls.has_value(); });
  if (!tls && given.good({"listeners"})) {
    reader.warning(given.key("identity"), "identity",
                   "no listener has TLS: browsers keep identity's cookies on https only",
                   "give a listener tls: { certificates: [{ auto: true }] }, or end TLS in front of Gatehouse");
  }
}

void check_root(Reader& reader, const Given& given, Config& config) {
  check_identity(reader, given, config);
  check_login(reader, given, config);
  check_addresses(reader, given, config);
  check_ambiguities(reader, given, config);
  raise_sensitive_routes(config);
  resolve_rules(reader, config.waf);
  note_ban_of_all(reader, given, config);
  if (config.listeners.empty() && given.good({"listeners"}) && given.has("listeners")) {
    reader.error(given.at("listeners"), "value", "no listener: nothing could connect",
                 "- { name: public, address: 127.0.0.1:8080 }");
  }
  if (config.routes.empty() && !config.identity && given.good({"routes"})) {
    reader.warning(given.key("routes"), "value", "no route: every request gets 404",
                   "only what is listed is reachable");
  }
}

}  // namespace

const Object& telemetry_object() {
  static const Object object = Object::of<TelemetryConfig>(
      "telemetry", "What can be seen from outside.",
      {
          key<&TelemetryConfig::access_log>("access_log", block<AccessLogConfig>(access_log_object()),
                                            "The access log."),
          key<&TelemetryConfig::metrics>("metrics", optional(block<Address>(MetricsAddress::object())),
                                         "Prometheus metrics.", {.default_note = "not served"}),
          key<&TelemetryConfig::events>("events", block<EventsConfig>(events_object()),
                                        "What is kept of requests and acts, encrypted, to be searched.",
                                        {.restart = true}),
          key<&TelemetryConfig::exports>("export", list_of(block<ExportConfig>(export_object())),
                                         "Where metrics, traces and records go beside that.", {.restart = true}),
          key<&TelemetryConfig::mask>("mask", list_of(text(128)),
                                      "Names of fields and parameters whose values are never shown."),
      });
  return object;
}

const Object& admin_object() {
  static const Object object =
      Object::of<AdminConfig>(
          "admin", "The admin API: what gatehouse status, reload, bans and explain talk to.",
          {
              key<&AdminConfig::address>("address", listen_address(),
                                         "unix:/path (peer credentials) or host:port (a token).",
                                         {.example = "\"unix:admin.sock\"", .required = true, .restart = true}),
              key<&AdminConfig::token>("token", secret(), "For a port: what callers must show.",
                                       {.example = "${env:GATEHOUSE_ADMIN_TOKEN}"}),
              key<&AdminConfig::group>(
                  "group", text(32), "For a Unix socket: the group whose members may call, too.",
                  {.example = "gatehouse-admin", .default_note = "root and the gateway's own user", .restart = true}),
          })
          .with_shorthand("address");
  return object;
}

const Object& root_object() {
  static const Object object =
      Object::of<Config>(
          "gatehouse", "The configuration of Gatehouse.",
          {
              key<&Config::version>("version", Kind<std::uint32_t>{std::make_shared<VersionKind>()},
                                    "Of the file format.", {.example = "1", .required = true}),
              key<&Config::trust_domain>("trust_domain", domain_name(),
                                         "Names this deployment; workload identities are spiffe://TRUST_DOMAIN/..."),
              key<&Config::data_dir>("data_dir", path(), "Where Gatehouse keeps its keys and state."),
              key<&Config::process>("process", block<ProcessConfig>(process_object()), "The process itself."),
              key<&Config::zones>("zones", zones(),
                                  "Where clients come from. Built in: external, dmz, corporate, hybrid.",
                                  {.example = "{ corporate: { networks: [10.0.0.0/8] } }"}),
              key<&Config::listeners>("listeners", named_list_of(block<ListenerConfig>(listener_object())),
                                      "Where clients connect.",
                                      {.example = "[{ name: public, address: 127.0.0.1:8080 }]", .required = true}),
              key<&Config::services>("services", named_map_of(block<ServiceConfig>(service_object())),
                                     "What stands behind the gateway."),
              key<&Config::routes>("routes", named_list_of(block<RouteConfig>(route_object())),
                                   "Which requests go where."),
              key<&Config::authentication>("authentication", block<AuthenticationConfig>(authentication_object()),
                                           "Who calls."),
              key<&Config::identity>("identity", optional(block<IdentityConfig>(identity_object())),
                                     "Users, sign-in, OAuth 2.1 and OpenID Connect.",
                                     {.default_note = "no users of our own", .restart = true}),
              key<&Config::login>("login", block<LoginConfig>(login_object()),
                                  "How people sign in on routes with access: { login: true }."),
              key<&Config::secrets>("secrets", block<SecretsConfig>(secrets_object()),
                                    "The root key of what is stored."),
              key<&Config::waf>("waf", block<WafConfig>(waf_object()), "Inspection of requests for attacks."),
              key<&Config::rate_limit>("rate_limit", list_of(block<RateLimitConfig>(rate_limit_object())),
                                       "Limits of every route, before its own."),
              key<&Config::penalties>("penalties", block<PenaltiesConfig>(penalties_object()),
                                      "Slowing down those who fail."),
              key<&Config::bans>("bans", block<BansConfig>(bans_object()), "Denied and allowed networks."),
              key<&Config::modes>("layers", layer_modes(), "Modes of layers; enforce where not named.",
                                  {.example = "{ rate: monitor }"}),
              key_of<Config>("state", block<Config>(state_object()), "What is remembered between requests."),
              key<&Config::telemetry>("telemetry", block<TelemetryConfig>(telemetry_object()), "Logs and metrics."),
              key<&Config::audit>("audit", block<AuditConfig>(audit_object()), "The tamper-evident log.",
                                  {.restart = true}),
              key<&Config::admin>("admin", block<AdminConfig>(admin_object()), "The admin API.",
                                  {.default_note = "no admin API"}),
          })
          .with_check<Config>(check_root);
  return object;
}

}  // namespace gatehouse::app
