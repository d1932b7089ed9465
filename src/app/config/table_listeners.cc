// listeners, process, zones
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

const Object& limits_object() {
  static const Object object = Object::of<ListenerLimits>(
      "listener_limits", "Bounds that hold without being asked for.",
      {
          key<&ListenerLimits::connections>("connections", integer<std::uint32_t>(1, 10'000'000),
                                            "Connections open at once; past it new ones are closed at once."),
          key<&ListenerLimits::connections_per_ip>("connections_per_ip", integer<std::uint32_t>(1, 10'000'000),
                                                   "Connections open at once from one client address."),
          key<&ListenerLimits::header_bytes>("header_bytes", size<std::uint32_t>(1024, 1 << 20),
                                             "Size of a request's whole header block (431 past it)."),
          key<&ListenerLimits::headers>("headers", integer<std::uint32_t>(1, 1000),
                                        "Number of header fields (431 past it)."),
          key<&ListenerLimits::uri_bytes>("uri_bytes", size<std::uint32_t>(64, 256 * 1024),
                                          "Size of the request target (414 past it)."),
          key<&ListenerLimits::body_bytes>("body_bytes", size<std::uint64_t>(0, 1ULL << 50),
                                           "Size of a request's body (413 past it). A route can set its own."),
          key<&ListenerLimits::header_timeout>("header_timeout", duration(100ms, 10min),
                                               "Time for the whole header block, against Slowloris (408)."),
          key<&ListenerLimits::body_min_rate>(
              "body_min_rate", integer<std::uint32_t>(0, 1'000'000'000),
              "Bytes per second that a body must arrive with; slower ones are cut. 0: no bound."),
          key<&ListenerLimits::idle_timeout>("idle_timeout", duration(100ms, 24h),
                                             "How long a connection may stay open between requests."),
          key<&ListenerLimits::requests_per_connection>("requests_per_connection",
                                                        integer<std::uint32_t>(1, 1'000'000'000),
                                                        "Requests on one connection before it is closed."),
          key<&ListenerLimits::h2_streams>("h2_streams", integer<std::uint32_t>(1, 10'000),
                                           "Requests at once on one HTTP/2 connection."),
      });
  return object;
}

void check_certificate(Reader& reader, const Given& given, TlsCertificateFiles& c) {
  if (c.auto_issue) {
    for (const char* other : {"cert", "key", "ocsp"}) {
      if (given.has(other)) {
        reader.error(given.key(other), "conflict", fmt::format("\"{}\" with \"auto: true\"", other),
                     "keep the files, or let Gatehouse issue the certificate");
      }
    }
    return;
  }
  for (const char* needed : {"cert", "key"}) {
    if (given.has(needed) || !given.good({needed})) continue;
    reader.error(given.block(), "missing_key", fmt::format("missing key \"{}\"", needed),
                 "give the PEM files as cert and key, or write auto: true");
  }
}

const Object& certificate_object() {
  static const Object object =
      Object::of<TlsCertificateFiles>(
          "certificate", "One certificate, chosen by the names it holds.",
          {
              key<&TlsCertificateFiles::cert>("cert", file_path(),
                                              "PEM file: the chain, the server's own certificate first.",
                                              {.example = "site.pem"}),
              key<&TlsCertificateFiles::key>("key", file_path(), "PEM file of the private key.",
                                             {.example = "site.key"}),
              key<&TlsCertificateFiles::ocsp>("ocsp", file_path(), "DER file of an OCSP response to staple.",
                                              {.example = "site.ocsp"}),
              key<&TlsCertificateFiles::auto_issue>("auto", boolean(),
                                                    "Issue it from Gatehouse's own authority in data_dir."),
          })
          .with_check<TlsCertificateFiles>(check_certificate);
  return object;
}

void check_tls(Reader& reader, const Given& given, ListenerTls& tls) {
  if (tls.client_auth != ClientAuthMode::none && tls.client_ca.empty() && given.good({"client_auth", "client_ca"})) {
    reader.error(given.key("client_auth"), "conflict", "client_auth needs client_ca",
                 "name the PEM file of the authorities that sign your clients' certificates");
  }
  if (tls.client_auth == ClientAuthMode::none && !tls.client_ca.empty() && given.good({"client_auth"})) {
    reader.warning(given.key("client_ca"), "no_effect", "client_ca has no effect while client_auth is none",
                   "set client_auth to optional or required");
  }
}

const Object& tls_object() {
  static const Object object =
      Object::of<ListenerTls>(
          "listener_tls", "TLS 1.2 and 1.3.",
          {
              key<&ListenerTls::certificates>("certificates",
                                              list_of(block<TlsCertificateFiles>(certificate_object()), 1),
                                              "Chosen by SNI; the first one serves names that none holds.",
                                              {.example = "[{ cert: site.pem, key: site.key }]", .required = true}),
              key<&ListenerTls::min_version_13>("min_version", one_of<bool>({{"1.2", false}, {"1.3", true}}),
                                                "The oldest TLS version that is accepted."),
              key<&ListenerTls::client_ca>("client_ca", file_path(),
                                           "PEM file of the authorities that sign client certificates.",
                                           {.example = "clients.pem"}),
              key<&ListenerTls::client_auth>("client_auth",
                                             one_of<ClientAuthMode>({{"none", ClientAuthMode::none},
                                                                     {"optional", ClientAuthMode::optional},
                                                                     {"required", ClientAuthMode::required}}),
                                             "Whether a client shows a certificate."),
              key<&ListenerTls::alpn>("alpn", list_of(word_of({"h2", "http/1.1"}), 1),
                                      "Protocols offered, in the order of preference."),
          })
          .with_check<ListenerTls>(check_tls);
  return object;
}

void check_listener(Reader& reader, const Given& given, ListenerConfig& listener) {
  if (listener.proxy_protocol != ProxyProtocol::off && listener.trusted_proxies.empty() &&
      given.good({"trusted_proxies"})) {
    reader.error(
        given.at("proxy_protocol"), "conflict", "proxy_protocol needs trusted_proxies",
        "list the networks of the load balancers that may send it, for example trusted_proxies: [10.0.0.0/24]");
  }
}

// A map from names to networks, into a list that starts with the four built-in zones.
class ZonesKind final : public AnyKind {
 public:
  bool read(Reader& reader, const YamlNode& node, void* into) const override {
    auto& zones = *static_cast<std::vector<Zone>*>(into);
    if (!node.is(YamlNode::Kind::map)) return reader.wrong_type(node, "a block of zone names");
    bool good = true;
    std::vector<std::pair<Network, std::string_view>> seen;
    for (const codec::YamlEntry& entry : node.entries()) {
      if (!detail::good_name(reader, entry.key, entry.position)) {
        good = false;
        continue;
      }
      auto zone = std::find_if(zones.begin(), zones.end(), [&](const Zone& z) { return z.name == entry.key; });
      if (zone == zones.end()) zone = zones.insert(zones.end(), Zone{entry.key, {}});
      good = zone_object().read(reader, entry.value, &*zone) && good;
      good = check_overlap(reader, entry, zone->networks, seen) && good;
    }
    return good;
  }
  void write(const Writer& writer, const void* from, Json& to) const override {
    to = Json::object();
    for (const Zone& zone : *static_cast<const std::vector<Zone>*>(from))
      zone_object().write(writer, &zone, to[zone.name]);
  }
  void schema(Json& to, Json& definitions) const override {
    Json zone;
    zone_object().schema(zone, definitions);
    to = {{"type", "object"}, {"additionalProperties", std::move(zone)}};
  }
  std::string title() const override { return "map of names to blocks"; }
  const Object* nested() const override { return &zone_object(); }
  std::string_view nesting() const override { return ".NAME"; }

 private:
  static const Object& zone_object() {
    static const Object object = Object::of<Zone>(
        "zone", "Where a client comes from. The longest matching prefix decides; the listener's zone takes the rest.",
        {key<&Zone::networks>("networks", list_of(network()), "The networks of this zone.",
                              {.example = "[10.0.0.0/8]"})});
    return object;
  }
  static bool check_overlap(Reader& reader, const codec::YamlEntry& entry, const std::vector<Network>& networks,
                            std::vector<std::pair<Network, std::string_view>>& seen) {
    bool good = true;
    const codec::YamlEntry* list = entry.value.find("networks");
    for (std::size_t i = 0; i < networks.size() && i < list->value.items().size(); ++i) {
      const YamlPosition position = list->value.items()[i].position();
      for (const auto& [network, zone] : seen) {
        if (network == networks[i] && zone != entry.key) {
          good =
              reader.error(position, "conflict", fmt::format("{} is already in zone \"{}\"", network.to_string(), zone),
                           "a client has one zone: keep the network in one of them");
        }
      }
      if (seen.size() < 1000) seen.emplace_back(networks[i], entry.key);  // quadratic: hand-written lists are short
    }
    return good;
  }
};

}  // namespace

Kind<std::vector<Zone>> zones() { return {std::make_shared<ZonesKind>()}; }

const Object& listener_object() {
  static const Object object =
      Object::of<ListenerConfig>(
          "listener", "Where clients connect.",
          {
              key<&ListenerConfig::name>("name", name(), "In logs and metrics.",
                                         {.example = "public", .required = true}),
              key<&ListenerConfig::address>("address", listen_address(), "host:port, [v6]:port or unix:/path.",
                                            {.example = "127.0.0.1:8080", .required = true}),
              key<&ListenerConfig::zone>("zone", zone_name(), "The zone of clients that match no zone's networks.",
                                         {.example = "external"}),
              key<&ListenerConfig::tls>("tls", optional(block<ListenerTls>(tls_object())), "Absent: plain HTTP.",
                                        {.default_note = "plain HTTP"}),
              key<&ListenerConfig::proxy_protocol>(
                  "proxy_protocol",
                  one_of<ProxyProtocol>({{"off", ProxyProtocol::off},
                                         {"v1", ProxyProtocol::v1},
                                         {"v2", ProxyProtocol::v2},
                                         {"any", ProxyProtocol::any}}),
                  "PROXY protocol header before each connection, from trusted_proxies only."),
              key<&ListenerConfig::trusted_proxies>("trusted_proxies", list_of(network()),
                                                    "Networks whose Forwarded and X-Forwarded-For are believed."),
              key<&ListenerConfig::http2_cleartext>("http2_cleartext", boolean(),
                                                    "HTTP/2 by prior knowledge (h2c) where there is no TLS."),
              key<&ListenerConfig::trust_trace_context>("trust_trace_context", boolean(),
                                                        "An inbound traceparent is continued instead of linked to."),
              key<&ListenerConfig::allow_underscore_headers>(
                  "allow_underscore_headers", boolean(),
                  "Accept header names with '_', which some servers can't tell from '-'."),
              key<&ListenerConfig::limits>("limits", block<ListenerLimits>(limits_object()),
                                           "Bounds of this listener."),
          })
          .with_check<ListenerConfig>(check_listener);
  return object;
}

const Object& process_object() {
  static const Object object = Object::of<ProcessConfig>(
      "process", "The process itself.",
      {
          key<&ProcessConfig::shards>("shards", integer<std::uint32_t>(0, 1024),
                                      "Event loops, each on a thread. 0: one per core.", {.restart = true}),
          key<&ProcessConfig::user>(
              "user", text(32), "The user to become after opening the ports, when started as root.",
              {.example = "gatehouse", .default_note = "gatehouse if it exists, else nobody", .restart = true}),
          key<&ProcessConfig::drain_timeout>("drain_timeout", duration(0s, 24h),
                                             "How long requests may take to finish after SIGTERM."),
          key<&ProcessConfig::sandbox>("sandbox", boolean(),
                                       "Give up privileges for good: seccomp filter, no_new_privs, no capabilities.",
                                       {.restart = true}),
      });
  return object;
}

}  // namespace gatehouse::app
