#include "app/config/posture.h"

#include <algorithm>

#include "app/config/posture_findings.h"
#include "app/config/scalars.h"
#include "app/config/table.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

std::string at(std::string_view list, std::size_t index, std::string_view key = {}) {
  return fmt::format("{}/{}{}{}", list, index, key.empty() ? "" : "/", key);
}

void judge_limits(Findings& findings, std::size_t index, const ListenerConfig& listener) {
  const ListenerLimits& limits = listener.limits;
  if (limits.body_bytes > 1ULL << 30) {
    findings.add(Severity::warning, "limits.body_bytes", at("listeners", index, "limits/body_bytes"),
                 fmt::format("bodies of up to {} are let through on listener \"{}\"", format_bytes(limits.body_bytes),
                             listener.name),
                 "one client can occupy a service for as long as it likes",
                 "keep the listener's bound small, and set body_bytes on the routes that take uploads");
  }
  if (limits.header_timeout > std::chrono::minutes(1)) {
    findings.add(Severity::warning, "limits.header_timeout", at("listeners", index, "limits/header_timeout"),
                 fmt::format("a client may take {} for its headers", format_duration(limits.header_timeout)),
                 "slow clients hold connections open (Slowloris)", "header_timeout: 10s");
  }
  if (limits.body_min_rate == 0) {
    findings.add(Severity::warning, "limits.body_min_rate", at("listeners", index, "limits/body_min_rate"),
                 "bodies may come as slowly as a client likes", "slow bodies hold connections to your services open",
                 "body_min_rate: 500");
  }
  if (limits.connections_per_ip > limits.connections / 4 && limits.connections_per_ip > 1000) {
    findings.add(
        Severity::warning, "limits.connections_per_ip", at("listeners", index, "limits/connections_per_ip"),
        fmt::format("one address may hold {} of {} connections", limits.connections_per_ip, limits.connections),
        "a few clients can keep everybody else out", "connections_per_ip: 200");
  }
}

bool has_rate_limit(const Config& config, const RouteConfig& route) {
  const auto is_rate = [](const RateLimitConfig& limit) { return limit.concurrent == 0; };
  return std::any_of(config.rate_limit.begin(), config.rate_limit.end(), is_rate) ||
         std::any_of(route.rate_limit.begin(), route.rate_limit.end(), is_rate);
}

const ServiceConfig* sensitive_service(const Config& config, const RouteConfig& route) {
  for (const WeightedService& s : route.services) {
    if (config.services[s.service].sensitivity == Sensitivity::high) return &config.services[s.service];
  }
  return nullptr;
}

void judge_access(Findings& findings, std::size_t index, const RouteConfig& route) {
  const ServiceConfig* high = sensitive_service(findings.config(), route);
  if (route.is_public && !has_rate_limit(findings.config(), route)) {
    findings.add(Severity::warning, "route.public_without_rate_limit", at("routes", index, "public"),
                 fmt::format("the public route \"{}\" has no rate limit", route.name),
                 "anybody can call it as fast as the network carries", "rate_limit: [{ key: client_ip, rate: 100/s }]");
  }
  if (route.is_public && high != nullptr) {
    findings.add(
        Severity::error, "route.public_high_sensitivity", at("routes", index, "public"),
        fmt::format("the route \"{}\" makes the service \"{}\" of high sensitivity public", route.name, high->name),
        "nobody is asked who they are before they reach it",
        "remove public: true, and say who may call it under access");
  }
  if (!route.is_public && high != nullptr && !route.access.mfa) {
    findings.add(
        Severity::warning, "route.mfa_missing", at("routes", index, "access/mfa"),
        fmt::format("the route \"{}\" reaches a service of high sensitivity without a second factor", route.name),
        "a stolen password or token is enough", "access: { mfa: true, mfa_max_age: 15m }");
  }
  if (!route.is_public && route.access.roles.empty() && route.access.scopes.empty()) {
    findings.add(Severity::info, "route.any_caller", at("routes", index, "access"),
                 fmt::format("the route \"{}\" admits every caller who can prove who they are", route.name),
                 "a token made for something else is good here too", "access: { roles: [...] } or { scopes: [...] }");
  }
}

void judge_answers(Findings& findings, std::size_t index, const RouteConfig& route) {
  if (route.cors) {
    const auto& origins = route.cors->origins;
    if (std::find(origins.begin(), origins.end(), "*") != origins.end()) {
      findings.add(route.is_public ? Severity::info : Severity::warning, "cors.any_origin",
                   at("routes", index, "cors/origins"),
                   fmt::format("scripts of any site may read the answers of route \"{}\"", route.name),
                   "a site that your users visit can read what they can reach", "list the origins that need it");
    }
    if (std::find(origins.begin(), origins.end(), "null") != origins.end()) {
      findings.add(Severity::warning, "cors.null_origin", at("routes", index, "cors/origins"),
                   "the origin \"null\" is allowed", "any site can get it with a sandboxed frame", "list real origins");
    }
  }
  if (!route.security_headers.enabled) {
    findings.add(Severity::warning, "headers.disabled", at("routes", index, "security_headers"),
                 fmt::format("security headers are off for the route \"{}\"", route.name),
                 "browsers then allow framing, sniffing and plain HTTP",
                 "turn off the one that is in the way: security_headers: { frame_options: off }");
  } else if (route.security_headers.hsts.empty()) {
    findings.add(Severity::info, "headers.no_hsts", at("routes", index, "security_headers/hsts"),
                 fmt::format("the route \"{}\" sends no Strict-Transport-Security", route.name),
                 "a browser may be led to plain HTTP on its next visit", "remove hsts: off");
  }
  if (route.compression.enabled && route.compression.with_credentials) {
    findings.add(Severity::warning, "compression.with_credentials", at("routes", index, "compression/with_credentials"),
                 fmt::format("answers with credentials are compressed on route \"{}\"", route.name),
                 "secrets in an answer can be guessed from its size (BREACH)", "with_credentials: false");
  }
}

void judge_mirror(Findings& findings, std::size_t index, const RouteConfig& route) {
  if (!route.mirror) return;
  const ServiceConfig* high = sensitive_service(findings.config(), route);
  const ServiceConfig& shadow = findings.config().services[route.mirror->service];
  if (high == nullptr || shadow.sensitivity == Sensitivity::high) return;
  findings.add(Severity::warning, "route.mirror_sensitivity", at("routes", index, "mirror"),
               fmt::format("requests to \"{}\" are copied to \"{}\", which is less protected", high->name, shadow.name),
               "the copies hold the same data and credentials",
               fmt::format("sensitivity: high for \"{}\"", shadow.name));
}

}  // namespace

bool is_loopback(const Address& address) {
  if (!address.unix_path.empty() || address.host == "localhost") return true;
  const auto ip = IpAddress::parse(address.host);
  return ip && (Network::parse("127.0.0.0/8")->contains(*ip) || *ip == *IpAddress::parse("::1"));
}

void judge_listeners(Findings& findings) {
  const auto& listeners = findings.config().listeners;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    const ListenerConfig& listener = listeners[i];
    if (!listener.tls && !is_loopback(listener.address)) {
      findings.add(
          Severity::warning, "listener.plain_http", at("listeners", i, "address"),
          fmt::format("the listener \"{}\" speaks plain HTTP on {}", listener.name, listener.address.to_string()),
          "tokens, cookies and data can be read and changed on the way",
          "tls: { certificates: [{ cert: site.pem, key: site.key }] }, or an address on 127.0.0.1 behind a TLS "
          "terminator");
    }
    if (listener.tls && !listener.tls->min_version_13) {
      findings.add(Severity::info, "tls.min_version", at("listeners", i, "tls/min_version"),
                   fmt::format("the listener \"{}\" accepts TLS 1.2", listener.name),
                   "it is sound with our cipher suites, but 1.3 leaves less to get wrong",
                   "min_version: \"1.3\", if all clients are recent");
    }
    for (std::size_t j = 0; j < listener.trusted_proxies.size(); ++j) {
      if (!covers_everyone(listener.trusted_proxies[j])) continue;
      findings.add(Severity::error, "listener.trusts_everyone",
                   at("listeners", i, fmt::format("trusted_proxies/{}", j)),
                   fmt::format("the listener \"{}\" believes everybody's X-Forwarded-For", listener.name),
                   "a client can choose its own address: bans, zones and rate limits don't hold",
                   "list the addresses of your load balancers");
    }
    if (listener.allow_underscore_headers) {
      findings.add(Severity::warning, "listener.underscore_headers", at("listeners", i, "allow_underscore_headers"),
                   "header names with '_' are let through", "services that turn '-' into '_' can't tell them from ours",
                   "remove allow_underscore_headers");
    }
    judge_limits(findings, i, listener);
  }
}

void judge_services(Findings& findings) {
  const Config& config = findings.config();
  for (std::size_t i = 0; i < config.services.size(); ++i) {
    const ServiceConfig& service = config.services[i];
    if (service.local != LocalTarget::none) continue;
    const std::string here = "services/" + service.name;
    const bool far_tls = std::any_of(service.endpoints.begin(), service.endpoints.end(),
                                     [](const auto& e) { return e.tls && !is_loopback(e.address); });
    const bool far_plain = std::any_of(service.endpoints.begin(), service.endpoints.end(),
                                       [](const auto& e) { return !e.tls && !is_loopback(e.address); });
    const bool any_tls =
        std::any_of(service.endpoints.begin(), service.endpoints.end(), [](const auto& e) { return e.tls; });
    if (!service.tls.verify && any_tls) {
      findings.add(far_tls ? Severity::error : Severity::warning, "upstream.unverified", here + "/tls/verify",
                   fmt::format("the certificate of \"{}\" is not checked", service.name),
                   "whoever gets between can read and change everything",
                   "tls: { ca: upstream-ca.pem } instead of verify: false");
    }
    if (far_plain) {
      findings.add(service.sensitivity == Sensitivity::high ? Severity::warning : Severity::info, "upstream.plain_http",
                   here + "/endpoints",
                   fmt::format("requests to \"{}\" go over the network in plain text", service.name),
                   "identity headers and data can be read and changed on the way",
                   "https:// or h2://, with tls.ca and a client certificate");
    }
    if (!service.health) {
      findings.add(service.endpoints.size() > 1 ? Severity::warning : Severity::info, "upstream.no_health", here,
                   fmt::format("the service \"{}\" has no health checks", service.name),
                   "a dead endpoint is found out by your users' requests", "health: { path: /healthz }");
    }
    const bool used = std::any_of(config.routes.begin(), config.routes.end(), [i](const RouteConfig& route) {
      return (route.mirror && route.mirror->service == i) ||
             std::any_of(route.services.begin(), route.services.end(), [i](const auto& s) { return s.service == i; });
    });
    if (!used) {
      findings.add(Severity::info, "service.unused", here,
                   fmt::format("no route leads to the service \"{}\"", service.name),
                   "what isn't used isn't looked after", "remove it, or add the route");
    }
  }
}

void judge_routes(Findings& findings) {
  const auto& routes = findings.config().routes;
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (is_built_in(findings.config(), routes[i])) continue;
    judge_access(findings, i, routes[i]);
    judge_answers(findings, i, routes[i]);
    judge_mirror(findings, i, routes[i]);
  }
}

std::vector<Diagnostic> judge_posture(const LoadOutcome& outcome, const PostureOptions& options) {
  Findings findings(outcome, options);
  judge_listeners(findings);
  judge_services(findings);
  judge_routes(findings);
  judge_defences(findings);
  judge_identity(findings);
  judge_exclusions(findings);
  if (options.look_at_files) {
    judge_exclusions_on_rules(findings);
    judge_files(findings);
  }
  std::vector<Diagnostic> found = findings.take();
  sort_by_position(found);
  return found;
}

}  // namespace gatehouse::app
