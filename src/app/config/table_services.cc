// services
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

struct Scheme {
  std::string_view prefix;
  bool tls;
  UpstreamProtocol protocol;
  bool srv;
  std::uint16_t port;
};
constexpr std::array<Scheme, 5> kSchemes{{{"http://", false, UpstreamProtocol::http1, false, 80},
                                          {"https://", true, UpstreamProtocol::http1, false, 443},
                                          {"h2c://", false, UpstreamProtocol::h2, false, 80},
                                          {"h2://", true, UpstreamProtocol::h2, false, 443},
                                          {"dns+srv://", false, UpstreamProtocol::http1, true, 0}}};

Parsed parse_endpoint(Reader& reader, std::string_view written, YamlPosition, EndpointConfig& into) {
  static constexpr std::string_view kForms = "http://host:port, https://, h2c://, h2://, dns+srv://name or unix:/path";
  const auto refuse = [written](std::string_view why, std::string hint) {
    return Refusal{fmt::format("\"{}\" {}", written.substr(0, 120), why), std::move(hint)};
  };
  into.url = written;
  if (written.starts_with("unix:")) {
    if (Parsed parsed = parse_unix_path(reader, written.substr(5), into.address)) return parsed;
    into.url = into.address.to_string();
    return std::nullopt;
  }
  const auto scheme = std::find_if(kSchemes.begin(), kSchemes.end(),
                                   [written](const Scheme& s) { return written.starts_with(s.prefix); });
  if (scheme == kSchemes.end()) {
    const bool bare = written.find("://") == std::string_view::npos && parse_host_port(written, 80);
    return refuse(bare ? "has no scheme" : "is not an endpoint",
                  bare ? fmt::format("did you mean http://{}?", written) : std::string(kForms));
  }
  std::string_view rest = written.substr(scheme->prefix.size());
  if (rest.find('@') != std::string_view::npos) return refuse("holds a user name", "credentials don't belong here");
  if (const std::size_t end = rest.find_first_of("/?#"); end != std::string_view::npos) {
    if (rest.substr(end) != "/") {
      return refuse("holds a path",
                    "an endpoint is scheme://host:port; a path prefix is the route's rewrite.add_prefix");
    }
    rest = rest.substr(0, end);
  }
  if (scheme->srv && rest.find(':') != std::string_view::npos)
    return refuse("holds a port", "SRV records say the port");
  const auto address = parse_host_port(rest, scheme->port);
  if (!address) return refuse("is not an endpoint", std::string(kForms));
  if (address->port == 0 && !scheme->srv) return refuse("has port 0", "1 to 65535");
  into.address = *address;
  into.tls = scheme->tls;
  into.protocol = scheme->protocol;
  into.resolve_srv = scheme->srv;
  return std::nullopt;
}

const Object& endpoint_object() {
  static const Object object =
      Object::of<EndpointConfig>(
          "endpoint", "One copy of the service. The URL alone is enough.",
          {
              key_of<EndpointConfig>(
                  "url",
                  text_form<EndpointConfig>({.title = "endpoint URL",
                                             .pattern = "^((https?|h2c?|dns\\+srv)://[^/]+/?|unix:/.+)$",
                                             .parse = parse_endpoint,
                                             .format = [](const Writer&, const EndpointConfig& e) { return e.url; }}),
                  "http, https, h2c, h2 (HTTP/2 over TLS), dns+srv://name or unix:/path.",
                  {.example = "http://127.0.0.1:9001", .required = true}),
              key<&EndpointConfig::weight>("weight", integer<std::uint32_t>(0, 65535),
                                           "Share of the traffic; 0 takes none."),
          })
          .with_shorthand("url");
  return object;
}

Parsed parse_hash_on(Reader&, std::string_view written, YamlPosition, HashOn& into) {
  if (written == "client_ip") return into = {HashOn::Kind::client_ip, ""}, std::nullopt;
  if (written == "user") return into = {HashOn::Kind::user, ""}, std::nullopt;
  const std::size_t colon = written.find(':');
  const std::string_view kind = written.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? std::string_view() : written.substr(colon + 1);
  if ((kind == "header" || kind == "cookie") && is_token(rest)) {
    into = {kind == "header" ? HashOn::Kind::header : HashOn::Kind::cookie,
            kind == "header" ? lower(rest) : std::string(rest)};
    return std::nullopt;
  }
  return Refusal{fmt::format("cannot hash on \"{}\"", written.substr(0, 80)),
                 "client_ip, user, header:NAME or cookie:NAME"};
}

std::string format_hash_on(const Writer&, const HashOn& value) {
  switch (value.kind) {
    case HashOn::Kind::client_ip: return "client_ip";
    case HashOn::Kind::user: return "user";
    case HashOn::Kind::header: return "header:" + value.name;
    case HashOn::Kind::cookie: return "cookie:" + value.name;
  }
  return {};
}

void check_health(Reader& reader, const Given& given, HealthConfig& health) {
  if (health.timeout > health.interval && given.good({"timeout", "interval"})) {
    reader.error(given.key("timeout"), "conflict",
                 fmt::format("timeout {} is longer than interval {}", format_duration(health.timeout),
                             format_duration(health.interval)),
                 "a check must end before the next one starts");
  }
}

Kind<std::string> health_path() {
  return text_form<std::string>(
      {.title = "path",
       .pattern = "^/",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool clean = std::all_of(written.begin(), written.end(), [](char c) { return c > 0x20 && c < 0x7F; });
         if (!written.starts_with('/') || !clean || written.size() > 1024) {
           return Refusal{"not a path that can be asked for", "/healthz"};
         }
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

const Object& health_object() {
  static const Object object =
      Object::of<HealthConfig>(
          "health", "Active checks: GET of a path, healthy when a 2xx comes in time.",
          {
              key<&HealthConfig::path>("path", health_path(), "What is asked for."),
              key<&HealthConfig::interval>("interval", duration(100ms, 1h), "Between checks of one endpoint."),
              key<&HealthConfig::timeout>("timeout", duration(10ms, 10min), "For an answer."),
              key<&HealthConfig::unhealthy_after>("unhealthy_after", integer<std::uint32_t>(1, 100),
                                                  "Failures in a row that take an endpoint out."),
              key<&HealthConfig::healthy_after>("healthy_after", integer<std::uint32_t>(1, 100),
                                                "Successes in a row that bring it back."),
          })
          .with_shorthand("path")
          .with_check<HealthConfig>(check_health);
  return object;
}

const Object& outliers_object() {
  static const Object object = Object::of<OutlierConfig>(
      "outliers", "Passive checks: endpoints that fail real requests are left out for a while.",
      {
          key<&OutlierConfig::consecutive_errors>(
              "consecutive_errors", integer<std::uint32_t>(0, 10'000),
              "Failures in a row (5xx, resets, timeouts) that eject an endpoint. 0: never."),
          key<&OutlierConfig::ejection>("ejection", duration(100ms, 24h),
                                        "How long it is left out; each time as much longer."),
          key<&OutlierConfig::max_ejected_percent>("max_ejected_percent", integer<std::uint32_t>(0, 100),
                                                   "The most of a service's endpoints that may be out at once."),
      });
  return object;
}

const Object& circuit_object() {
  static const Object object = Object::of<CircuitConfig>(
      "circuit",
      "Bounds of the whole service, over all shards. Without a free connection requests wait in line, as long as "
      "`timeouts.connect` allows; past `pending` or `requests` they get 503 at once.",
      {
          key<&CircuitConfig::connections>("connections", integer<std::uint32_t>(1, 1'000'000),
                                           "Connections to the service."),
          key<&CircuitConfig::pending>("pending", integer<std::uint32_t>(0, 1'000'000),
                                       "Requests waiting because all connections are in use. 0: none waits."),
          key<&CircuitConfig::requests>("requests", integer<std::uint32_t>(1, 10'000'000), "Requests in flight."),
      });
  return object;
}

const Object& timeouts_object() {
  static const Object object = Object::of<TimeoutConfig>(
      "timeouts", "Per phase.",
      {
          key<&TimeoutConfig::connect>("connect", duration(1ms, 10min), "To connect, TLS included."),
          key<&TimeoutConfig::response>("response", duration(1ms, 24h),
                                        "From the request's last byte to the answer's header (504 past it)."),
          key<&TimeoutConfig::idle>("idle", duration(1ms, 24h),
                                    "Between bytes of an answer, and of an idle kept connection."),
      });
  return object;
}

// `on: [connect_failure, reset, 502, 503]`
class RetryOnKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& retry = *static_cast<RetryConfig*>(into);
    if (!node.is(YamlNode::Kind::list)) return reader.wrong_type(node, "a list");
    retry.on_connect_failure = retry.on_reset = false;
    retry.on_status.clear();
    bool good = true;
    for (const YamlNode& item : node.items()) {
      const auto status = item.integer();
      if (item.text() == "connect_failure") {
        retry.on_connect_failure = true;
      } else if (item.text() == "reset") {
        retry.on_reset = true;
      } else if (status && *status >= 500 && *status <= 599) {
        retry.on_status.push_back(static_cast<int>(*status));
      } else {
        const Refusal refusal = not_a_choice(item.text(), {"connect_failure", "reset", "500 to 599"});
        good = reader.error(item.position(), "value", refusal.message, refusal.hint);
      }
    }
    return good;
  }
  void write(const Writer&, const void* from, Json& to) const override {
    const auto& retry = *static_cast<const RetryConfig*>(from);
    to = Json::array();
    if (retry.on_connect_failure) to.push_back("connect_failure");
    if (retry.on_reset) to.push_back("reset");
    for (const int status : retry.on_status) to.push_back(status);
  }
  void schema(Json& to, Json&) const override {
    Json word = {{"enum", Json::array({"connect_failure", "reset"})}};
    Json status = {{"type", "integer"}, {"minimum", 500}, {"maximum", 599}};
    to = {{"type", "array"}, {"items", {{"anyOf", Json::array({std::move(word), std::move(status)})}}}};
  }
  std::string title() const override { return "list of `connect_failure`, `reset`, status"; }
};

const Object& retry_object() {
  static const Object object = Object::of<RetryConfig>(
      "retry", "Only idempotent methods, and only while nothing of the answer was passed on.",
      {
          key<&RetryConfig::attempts>("attempts", integer<std::uint32_t>(1, 10),
                                      "In all, the first included; 1: no retry."),
          key_of<RetryConfig>("on", Kind<RetryConfig>{std::make_shared<RetryOnKind>()}, "What is retried."),
          key<&RetryConfig::budget_percent>(
              "budget_percent", integer<std::uint32_t>(0, 100),
              "Retries, as a share of the requests of the last ten seconds: a failing service isn't buried."),
      });
  return object;
}

void check_upstream_tls(Reader& reader, const Given& given, UpstreamTlsConfig&) {
  if (given.has("client_cert") != given.has("client_key")) {
    const bool cert = given.has("client_cert");
    reader.error(given.key(cert ? "client_cert" : "client_key"), "conflict",
                 cert ? "client_cert needs client_key" : "client_key needs client_cert", "give both or none");
  }
  if (given.has("verify") && given.has("ca") && given.value("verify")->is(YamlNode::Kind::boolean) &&
      !given.value("verify")->boolean()) {
    reader.warning(given.key("ca"), "no_effect", "ca has no effect while verify is false", "remove verify: false");
  }
}

const Object& upstream_tls_object() {
  static const Object object =
      Object::of<UpstreamTlsConfig>(
          "upstream_tls", "For https and h2 endpoints.",
          {
              key<&UpstreamTlsConfig::ca>("ca", file_path(), "PEM file of the authorities to trust.",
                                          {.example = "upstream-ca.pem", .default_note = "the system's"}),
              key<&UpstreamTlsConfig::sni>("sni", domain_name(), "The name that the certificate must hold.",
                                           {.example = "orders.internal", .default_note = "the endpoint's host"}),
              key<&UpstreamTlsConfig::client_cert>("client_cert", file_path(), "PEM file: our own certificate.",
                                                   {.example = "gw.pem"}),
              key<&UpstreamTlsConfig::client_key>("client_key", file_path(), "PEM file: its private key.",
                                                  {.example = "gw.key"}),
              key<&UpstreamTlsConfig::verify>("verify", boolean(), "Check the service's certificate."),
          })
          .with_check<UpstreamTlsConfig>(check_upstream_tls);
  return object;
}

void check_endpoints(Reader& reader, const Given& given, const ServiceConfig& service) {
  const YamlNode* list = given.value("endpoints");
  const bool any_weight =
      std::any_of(service.endpoints.begin(), service.endpoints.end(), [](const auto& e) { return e.weight > 0; });
  if (!any_weight && !service.endpoints.empty() && given.good({"endpoints"})) {
    reader.error(given.at("endpoints"), "value", "all weights are zero: no endpoint would take traffic",
                 "give one a weight");
  }
  for (std::size_t i = 0; i < service.endpoints.size() && i < 1000; ++i) {  // quadratic; lists are short
    const EndpointConfig& e = service.endpoints[i];
    for (std::size_t j = 0; j < i && !e.url.empty(); ++j) {
      if (e.address != service.endpoints[j].address || list == nullptr || !list->is(YamlNode::Kind::list)) continue;
      reader.error(list->items()[i].position(), "conflict", fmt::format("the endpoint {} is there twice", e.url),
                   "use weight to give it more traffic");
      break;
    }
  }
}

void check_service(Reader& reader, const Given& given, ServiceConfig& service) {
  check_endpoints(reader, given, service);
  if (service.hash_on != HashOn{} && service.balance != Balance::hash && given.good({"balance"})) {
    reader.warning(given.key("hash_on"), "no_effect", "hash_on has no effect without balance: hash",
                   "set balance: hash");
  }
  const bool uses_tls =
      std::any_of(service.endpoints.begin(), service.endpoints.end(), [](const auto& e) { return e.tls; });
  if (service.tls != UpstreamTlsConfig{} && !uses_tls && given.good({"endpoints"})) {
    reader.warning(given.key("tls"), "no_effect", "tls has no effect: no endpoint is https or h2",
                   "write https:// or h2://");
  }
}

}  // namespace

const Object& service_object() {
  static const Object object =
      Object::of<ServiceConfig>(
          "service", "What stands behind the gateway: one or more endpoints that do the same.",
          {
              key<&ServiceConfig::endpoints>(
                  "endpoints", one_or_list_of(block<EndpointConfig>(endpoint_object()), 1),
                  "Where it runs. DNS names are resolved again as their TTL ends; IPv6 addresses and SRV "
                  "targets of a later priority serve while none before them is available.",
                  {.example = "[http://127.0.0.1:9001]", .required = true}),
              key<&ServiceConfig::sensitivity>(
                  "sensitivity",
                  one_of<Sensitivity>(
                      {{"low", Sensitivity::low}, {"normal", Sensitivity::normal}, {"high", Sensitivity::high}}),
                  "high turns on every layer and refuses routes that turn one off."),
              key<&ServiceConfig::balance>(
                  "balance",
                  one_of<Balance>({{"round_robin", Balance::round_robin},
                                   {"least_requests", Balance::least_requests},
                                   {"random_two", Balance::random_two},
                                   {"hash", Balance::hash}}),
                  "How an endpoint is chosen. With hash, an endpoint that has more than 8 requests in "
                  "flight and 1.25 times its share of them passes what comes on to the next."),
              key<&ServiceConfig::hash_on>(
                  "hash_on",
                  text_form<HashOn>({.title = "`client_ip`, `user`, `header:NAME`, `cookie:NAME`",
                                     .pattern = "^(client_ip|user|(header|cookie):.+)$",
                                     .parse = parse_hash_on,
                                     .format = format_hash_on}),
                  "For balance: hash: requests with the same value go to the same endpoint."),
              key<&ServiceConfig::health>("health", optional(block<HealthConfig>(health_object())),
                                          "Active health checks.", {.default_note = "no active checks"}),
              key<&ServiceConfig::outliers>("outliers", block<OutlierConfig>(outliers_object()), "Outlier ejection."),
              key<&ServiceConfig::circuit>("circuit", block<CircuitConfig>(circuit_object()), "Circuit breaking."),
              key<&ServiceConfig::timeouts>("timeouts", block<TimeoutConfig>(timeouts_object()), "Timeouts."),
              key<&ServiceConfig::retry>("retry", block<RetryConfig>(retry_object()), "Retries."),
              key<&ServiceConfig::tls>("tls", block<UpstreamTlsConfig>(upstream_tls_object()), "TLS to the service."),
          })
          .with_check<ServiceConfig>(check_service);
  return object;
}

}  // namespace gatehouse::app
