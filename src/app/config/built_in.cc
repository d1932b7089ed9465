#include "app/config/built_in.h"

#include <algorithm>

#include "app/config/scalars.h"
#include "gateway/login/login_routes.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

// What people type and clients send that looks like an attack without being one: passwords, tokens, addresses to return
// to. Identity reads each of them strictly, shows none, and puts none into a query.
const std::vector<std::string>& unread_parameters() {
  static const std::vector<std::string> names{
      "password", "new_password", "code", "csrf", "flow", "credential", "client_secret", "client_assertion",
      "code_verifier", "code_challenge", "token", "access_token", "refresh_token", "subject_token", "device_code",
      "id_token_hint", "redirect_uri", "post_logout_redirect_uri", "resource", "audience", "request_uri", "claims",
      "state", "nonce", "client_assertion_type", "subject_token_type", "requested_token_type", "grant_type",
      // what an outside provider answers, and the names of its logins
      "iss", "error_description", "issuer", "subject"};
  return names;
}

// To the last of the services.
RouteConfig own_route(const Config& config, std::string name, std::vector<std::string> hosts, std::string path) {
  RouteConfig route;
  route.name = std::move(name);
  route.match.hosts = std::move(hosts);
  route.match.path = std::move(path);
  route.services = {{static_cast<std::uint32_t>(config.services.size() - 1), 1}};
  route.is_public = true;
  for (std::uint32_t zone = 0; zone < config.zones.size(); ++zone) route.zones.push_back(zone);
  route.body_bytes = 256 * 1024;
  return route;
}

void leave_unread(RouteConfig& route, std::vector<std::string> parameters, std::string because) {
  WafExclusion exclusion;
  exclusion.parameters = std::move(parameters);
  exclusion.because = std::move(because);
  route.waf.exclude.push_back(std::move(exclusion));
  WafExclusion registered;  // of clients that register themselves: loopback addresses look like an inclusion
  registered.targets = {"ARGS:/^json[.](post_logout_)?redirect_uris[.]/"};
  registered.because = "redirect URIs that identity reads strictly itself";
  route.waf.exclude.push_back(std::move(registered));
}

RouteConfig identity_route(const Config& config, std::string name, std::string host, std::string path) {
  RouteConfig route = own_route(config, std::move(name), {std::move(host)}, std::move(path));
  leave_unread(route, unread_parameters(), "secrets and addresses that identity reads strictly itself");
  return route;
}

void add_service(Config& config, std::string_view name, LocalTarget target) {
  ServiceConfig service;
  service.name = name;
  service.local = target;
  config.services.push_back(std::move(service));
}

void add_login(Config& config) {
  std::vector<std::string> hosts = login_hosts(config);
  if (hosts.empty()) return;
  add_service(config, kLoginService, LocalTarget::relying_party);
  RouteConfig route = own_route(config, std::string(kLoginService), std::move(hosts), "/.gatehouse/**");
  leave_unread(route,
               {"code", "state", "iss", "session_state", "error_description", "error_uri", "logout_token", "return_to"},
               "what the provider sends and where people were, which sign-in reads strictly itself");
  config.routes.push_back(std::move(route));
}

bool is_own(const ServiceConfig& service) noexcept { return service.local != LocalTarget::none; }

void add_identity(Config& config) {
  const IssuerParts issuer = split_issuer(config.identity->issuer);
  add_service(config, kIdentityService, LocalTarget::identity);
  config.routes.push_back(identity_route(config, "identity", issuer.host, issuer.path + "/**"));
  JwtIssuerConfig own;
  own.name = kIdentityService;
  own.issuer = config.identity->issuer;
  own.own = true;
  // A token that was made for something else, userinfo say, opens no route.
  own.audience = {config.trust_domain, "https://" + config.trust_domain};
  for (const RouteConfig& route : config.routes) {
    const std::string& audience = route.access.audience;
    if (!audience.empty() && std::find(own.audience.begin(), own.audience.end(), audience) == own.audience.end())
      own.audience.push_back(audience);
  }
  config.authentication.jwt.push_back(std::move(own));
  if (issuer.path.empty()) return;
  // RFC 8414 §3.1 puts the well-known part in front of the issuer's path.
  config.routes.push_back(identity_route(config, "identity-metadata", issuer.host,
                                         "/.well-known/oauth-authorization-server" + issuer.path));
}

}  // namespace

IssuerParts split_issuer(std::string_view issuer) {
  std::string_view rest = issuer.substr(std::min<std::size_t>(8, issuer.size()));
  const std::size_t slash = std::min(rest.find('/'), rest.size());
  const auto address = parse_host_port(rest.substr(0, slash), 443);
  return {address ? address->host : std::string(rest.substr(0, slash)), std::string(rest.substr(slash)),
          std::string(issuer.substr(0, 8 + slash))};
}

void add_built_in(Config& config) {
  add_login(config);
  if (config.identity) add_identity(config);
}

bool is_built_in(const Config& config, const RouteConfig& route) {
  return std::any_of(route.services.begin(), route.services.end(),
                     [&](const WeightedService& one) { return is_own(config.services[one.service]); });
}

Config without_built_in(Config config) {
  std::erase_if(config.routes, [&](const RouteConfig& route) { return is_built_in(config, route); });
  std::erase_if(config.services, is_own);
  std::erase_if(config.authentication.jwt, [](const JwtIssuerConfig& issuer) { return issuer.own; });
  return config;
}

}  // namespace gatehouse::app
