#include "gateway/server/snapshot.h"

#include <algorithm>

#include "base/check.h"
#include "crypto/x509.h"
#include "gateway/layers/authentication/authentication_layer.h"
#include "gateway/layers/authorization/authorization_layer.h"
#include "gateway/layers/cors/cors_layer.h"
#include "gateway/layers/limits/limits_layer.h"
#include "gateway/layers/rate/rate_layer.h"
#include "gateway/layers/schema/schema_layer.h"

namespace gatehouse::gateway {
namespace {

http::Http1ServerOptions http1_options(const ListenerConfig& listener) {
  const ListenerLimits& limits = listener.limits;
  http::Http1ServerOptions options;
  options.header_bytes = limits.header_bytes;
  options.headers = limits.headers;
  options.uri_bytes = limits.uri_bytes;
  options.body_bytes = limits.body_bytes;
  options.allow_underscore_names = listener.allow_underscore_headers;
  options.header_timeout = limits.header_timeout;
  options.idle_timeout = limits.idle_timeout;
  options.body_min_rate = limits.body_min_rate;
  options.requests_max = limits.requests_per_connection;
  return options;
}

http::H2ServerOptions h2_options(const ListenerConfig& listener) {
  const ListenerLimits& limits = listener.limits;
  http::H2ServerOptions options;
  options.header_bytes = limits.header_bytes;
  options.headers = limits.headers;
  options.uri_bytes = limits.uri_bytes;
  options.body_bytes = limits.body_bytes;
  options.allow_underscore_names = listener.allow_underscore_headers;
  options.header_timeout = limits.header_timeout;
  options.idle_timeout = limits.idle_timeout;
  options.stall_timeout = limits.idle_timeout;
  options.body_min_rate = limits.body_min_rate;
  options.requests_max = limits.requests_per_connection;
  options.streams_max = limits.h2_streams;
  return options;
}

// `auto: true`: from Gatehouse's own authority in the data folder, for every host that a route names, and this machine.
Result<crypto::TlsCertificate> issue(const Config& config) {
  auto authority = crypto::LocalAuthority::open(config.data_dir + "/ca", config.trust_domain);
  if (!authority) return tl::unexpected(authority.error());
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const RouteConfig& route : config.routes) {
    for (const std::string& host : route.match.hosts) add(host);
  }
  for (const char* local : {"localhost", "127.0.0.1", "::1"}) add(local);
  auto issued = authority->issue_server(names);
  if (!issued) return tl::unexpected(issued.error());
  return crypto::TlsCertificate{issued->certificate_file, issued->key_file, {}};
}

Result<std::shared_ptr<crypto::TlsServerContext>> server_tls(const ListenerConfig& listener, const Config& config,
                                                             const SnapshotSources& sources,
                                                             std::vector<ServedCertificate>& served) {
  if (!listener.tls) return std::shared_ptr<crypto::TlsServerContext>();
  crypto::TlsServerOptions options;
  for (const TlsCertificateFiles& files : listener.tls->certificates) {
    if (files.auto_issue) {
      auto issued = issue(config);
      if (!issued) return tl::unexpected(std::move(issued.error()).while_(fmt::format("listener {}", listener.name)));
      options.certificates.push_back(std::move(*issued));
    } else {
      options.certificates.push_back({files.cert, files.key, files.ocsp});
    }
    served.push_back({listener.name, options.certificates.back().certificate_file, files.auto_issue});
  }
  options.min_version = listener.tls->min_version_13 ? crypto::TlsVersion::v13 : crypto::TlsVersion::v12;
  options.client_auth = listener.tls->client_auth == ClientAuthMode::required   ? crypto::ClientAuth::required
                        : listener.tls->client_auth == ClientAuthMode::optional ? crypto::ClientAuth::optional
                                                                                : crypto::ClientAuth::none;
  options.client_ca_file = listener.tls->client_ca;
  options.alpn = listener.tls->alpn;
  options.ticket_keys = sources.ticket_keys;
  auto context = crypto::TlsServerContext::create(options);
  if (!context) return tl::unexpected(std::move(context.error()).while_(fmt::format("listener {}", listener.name)));
  return *context;
}

Result<std::shared_ptr<crypto::TlsClientContext>> client_tls(const ServiceConfig& service, const char* alpn) {
  crypto::TlsClientOptions options;
  options.ca_file = service.tls.ca;
  options.certificate_file = service.tls.client_cert;
  options.key_file = service.tls.client_key;
  options.verify = service.tls.verify;
  options.alpn = {alpn};
  auto context = crypto::TlsClientContext::create(options);
  if (!context) return tl::unexpected(std::move(context.error()).while_(fmt::format("service {}", service.name)));
  return *context;
}

Status build_listeners(Snapshot& snapshot, const SnapshotSources& sources) {
  for (const ListenerConfig& listener : snapshot.config->listeners) {
    auto options = std::make_shared<http::ServerConnectionOptions>();
    options->http1 = http1_options(listener);
    options->h2 = h2_options(listener);
    auto tls = server_tls(listener, *snapshot.config, sources, snapshot.certificates);
    if (!tls) return tl::unexpected(tls.error());
    options->tls = std::move(*tls);
    options->proxy_header = listener.proxy_protocol != ProxyProtocol::off;
    options->proxy_versions = {listener.proxy_protocol != ProxyProtocol::v2,
                               listener.proxy_protocol != ProxyProtocol::v1};
    options->trusted_proxies = listener.trusted_proxies;
    options->http2_cleartext = listener.http2_cleartext;
    const auto index = static_cast<std::size_t>(&listener - snapshot.config->listeners.data());
    for (const ListenerBinding& binding : snapshot.bindings) {
      if (binding.index == index) options->listener = binding.id;
    }
    snapshot.connection_options.push_back(std::move(options));
    snapshot.trusted_proxies.emplace_back(std::span<const Network>(listener.trusted_proxies));
  }
  return {};
}

Status build_upstreams(Snapshot& snapshot, const Snapshot* previous) {
  const Config& config = *snapshot.config;
  snapshot.clusters = build_clusters(
      config, previous != nullptr ? std::span(previous->clusters) : std::span<const std::shared_ptr<Cluster>>());
  snapshot.upstream_tls.resize(config.services.size());
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    for (const EndpointConfig& endpoint : config.services[i].endpoints) {
      if (!endpoint.tls) continue;
      const bool h2 = endpoint.protocol == UpstreamProtocol::h2;
      auto& slot = h2 ? snapshot.upstream_tls[i].http2 : snapshot.upstream_tls[i].http1;
      if (slot) continue;
      auto context = client_tls(config.services[i], h2 ? "h2" : "http/1.1");
      if (!context) return tl::unexpected(context.error());
      slot = std::move(*context);
    }
  }
  return {};
}

Status build_local_services(Snapshot& snapshot, const LocalServiceSource& source) {
  const Config& config = *snapshot.config;
  snapshot.local_services.resize(config.services.size());
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const ServiceConfig& service = config.services[i];
    if (service.local == LocalTarget::none) continue;
    auto made = source ? source(config, service.local) : fail(ErrorCode::internal, "nobody provides it");
    if (!made) return tl::unexpected(std::move(made.error()).while_(fmt::format("service {}", service.name)));
    GH_CHECK(*made != nullptr);
    snapshot.local_services[i] = std::move(*made);
  }
  return {};
}

// The order is the design's: the cheapest first, so that a flood costs little. A preflight carries no credentials, so
// CORS answers before they are asked for; what counts by user comes after the user is known.
void build_layers(Snapshot& snapshot, const SnapshotSources& sources, Credentials credentials) {
  const Config& config = *snapshot.config;
  SharedState& state = sources.state;
  const Clock& clock = sources.clock;
  auto& layers = snapshot.layers;
  const auto add = [&](auto layer) {
    auto* raw = layer.get();
    layers.push_back(std::move(layer));
    return raw;
  };
  snapshot.bans = add(std::make_unique<BansLayer>(config, state, clock));
  snapshot.zone_layer = add(std::make_unique<ZoneLayer>(config, state, clock));
  add(std::make_unique<LimitsLayer>(config, state, clock));
  auto rate = std::make_unique<RateLayer>(config, state, clock, Phase::before_authentication);
  add(std::move(rate));
  snapshot.penalties = add(std::make_unique<PenaltiesLayer>(config, state, clock, Phase::before_authentication));
  snapshot.layers_without_route = layers.size();
  add(std::make_unique<CorsLayer>(config, state, clock));
  add(std::make_unique<AuthenticationLayer>(config, std::move(credentials.issuers), std::move(credentials.api_keys),
                                            &state.token_lookups(), credentials.logins));
  auto user_rate = std::make_unique<RateLayer>(config, state, clock, Phase::after_authentication);
  if (!user_rate->empty()) add(std::move(user_rate));
  add(std::make_unique<PenaltiesLayer>(config, state, clock, Phase::after_authentication));
  add(std::make_unique<AuthorizationLayer>(std::move(credentials.logins)));
  if (SchemaLayer::wanted(config)) snapshot.schema = add(std::make_unique<SchemaLayer>());
  snapshot.identity = std::make_unique<UpstreamIdentity>(config, std::move(credentials.identity_key));
  snapshot.header_policy = std::make_unique<HeaderPolicyLayer>(config, state, clock);
}

}  // namespace

Result<std::shared_ptr<const Snapshot>> Snapshot::build(std::shared_ptr<const Config> config, const Snapshot* previous,
                                                        std::vector<ListenerBinding> bindings,
                                                        SnapshotSources sources) {
  auto snapshot = std::make_shared<Snapshot>();
  if (previous != nullptr) snapshot->generation = previous->generation + (previous->config == config ? 0 : 1);
  snapshot->config = std::move(config);
  snapshot->bindings = std::move(bindings);
  auto router = Router::create(*snapshot->config);
  if (!router) return tl::unexpected(router.error());
  snapshot->router = std::move(*router);
  if (auto built = build_listeners(*snapshot, sources); !built) return tl::unexpected(built.error());
  if (auto built = build_upstreams(*snapshot, previous); !built) return tl::unexpected(built.error());
  const bool same = previous != nullptr && previous->config == snapshot->config;
  Result<std::shared_ptr<const waf::RuleEngine>> rules =
      same ? previous->waf->engine() : sources.rules(*snapshot->config);
  if (!rules) return tl::unexpected(rules.error());
  snapshot->waf = std::make_unique<WafLayer>(*snapshot->config, std::move(*rules));
  if (auto built = build_local_services(*snapshot, sources.local_services); !built)
    return tl::unexpected(built.error());
  auto credentials = sources.credentials(*snapshot->config);
  if (!credentials) return tl::unexpected(credentials.error());
  build_layers(*snapshot, sources, std::move(*credentials));
  return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

const ListenerBinding* Snapshot::binding(std::uint32_t listener_id) const noexcept {
  const auto at = std::find_if(bindings.begin(), bindings.end(),
                               [&](const ListenerBinding& binding) { return binding.id == listener_id; });
  return at == bindings.end() ? nullptr : &*at;
}

crypto::TlsClientContext* Snapshot::tls_for(const Cluster& cluster, const Endpoint& endpoint) const noexcept {
  if (!endpoint.config->tls) return nullptr;
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    if (clusters[i].get() != &cluster) continue;
    return endpoint.config->protocol == UpstreamProtocol::h2 ? upstream_tls[i].http2.get()
                                                             : upstream_tls[i].http1.get();
  }
  return nullptr;
}

}  // namespace gatehouse::gateway
