#include "admin/admin_api.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "admin/events_api.h"
#include "admin/identity/identity_api.h"
#include "admin/views.h"
#include "admin/waf_stats.h"
#include "codec/json.h"
#include "crypto/digest.h"
#include "telemetry/log.h"
#include "telemetry/trace.h"

namespace gatehouse::admin {
namespace {

using codec::Json;
using telemetry::RecordFilter;

constexpr std::size_t kRequestsDefault = 50, kRequestsMax = 1000;
constexpr std::size_t kReasonBytesMax = 100;  // with who it was, it fits into what a ban keeps
constexpr std::string_view kReloadPath = "/v1/reload", kRollbackPath = "/v1/rollback";
constexpr std::string_view kBanPrefix = "/v1/bans/", kRequestPrefix = "/v1/requests/";

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
    i += 2;
  }
  return out;
}

// Calls `read` with each name and value of a query.
template <class Read>
Status read_query(std::string_view query, Read read) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const auto value = percent_decoded(pair.substr(std::min(equals + 1, pair.size())));
    if (!value) return fail(ErrorCode::invalid, "The query has a broken escape.", ErrorSource::downstream);
    if (Status done = read(pair.substr(0, equals), *value); !done) return done;
  }
  return {};
}

Answer json_answer(std::string body, int status = 200) {
  Answer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

Answer text_answer(int status, std::string_view text) {
  Answer answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = text;
  return answer;
}

// "Application/JSON; charset=utf-8" is JSON, too.
bool is_json(std::string_view content_type) noexcept {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return http::equals_ignoring_case(type, "application/json");
}

// The host of an authority: without its port, an IPv6 address without brackets.
std::string_view host_of(std::string_view authority) noexcept {
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    return close == std::string_view::npos ? std::string_view() : authority.substr(1, close - 1);
  }
  return authority.substr(0, authority.find(':'));
}

// The object in a call's body; an empty body is an empty object.
std::optional<Json> object_in(const Call& call) {
  auto value = Json::parse(call.body.empty() ? std::string_view("{}") : std::string_view(call.body));
  if (!value || !value->is_object()) return std::nullopt;
  return value;
}

// Names that are not among `known` are mistakes, and are told.
std::optional<std::string> unknown_member(const Json& object, std::initializer_list<std::string_view> known) {
  for (std::size_t i = 0; i < object.size(); ++i) {
    if (std::find(known.begin(), known.end(), object.name(i)) == known.end()) return std::string(object.name(i));
  }
  return std::nullopt;
}

Answer reload_answer(const ReloadReport& report) {
  return json_answer(to_json(report), report.errors.empty() ? 200 : 422);
}

Answer error_answer(const Error& error) {
  switch (error.code) {
    case ErrorCode::not_found: return problem(404, error.message);
    case ErrorCode::invalid: return problem(400, error.message);
    case ErrorCode::denied: return problem(409, error.message);
    default: return problem(500, error.message);
  }
}

template <class Enum>
std::optional<Enum> enum_of(std::string_view name, int count) {
  for (int i = 0; i < count; ++i) {
    if (telemetry::name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// One parameter of GET /v1/requests; the error is for the caller.
Status read_parameter(std::string_view name, const std::string& value, std::size_t& limit, RecordFilter& filter) {
  const auto bad = [&] {
    return fail(ErrorCode::invalid, fmt::format("'{}' is no value for '{}'.", value, name), ErrorSource::downstream);
  };
  if (name == "limit") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), limit);
    if (error != std::errc() || end != value.data() + value.size() || limit == 0 || limit > kRequestsMax) return bad();
  } else if (name == "verdict") {
    filter.verdict = enum_of<telemetry::Verdict>(value, 4);
    if (!filter.verdict) return bad();
  } else if (name == "layer") {
    filter.layer = enum_of<telemetry::Layer>(value, static_cast<int>(telemetry::Layer::count_));
    if (!filter.layer) return bad();
  } else if (name == "client") {
    filter.client = Network::parse(value);
    if (!filter.client) return bad();
  } else {
    return fail(ErrorCode::invalid, fmt::format("'{}' is no parameter: verdict, layer, client and limit are.", name));
  }
  return {};
}

}  // namespace

std::optional<Duration> parse_ban_duration(std::string_view text) noexcept {
  constexpr std::int64_t kYearMs = 365LL * 24 * 3600 * 1000;
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count <= 0 || count > kYearMs) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const std::int64_t unit_ms = unit == "ms"  ? 1
                               : unit == "s" ? 1000
                               : unit == "m" ? 60'000
                               : unit == "h" ? 3'600'000
                               : unit == "d" ? 86'400'000
                                             : 0;
  if (unit_ms == 0 || count > kYearMs / unit_ms) return std::nullopt;
  return std::chrono::milliseconds(count * unit_ms);
}

bool AdminApi::is_authorized(const Call& call) const {
  if (call.connection->unix_socket) {
    const auto& peer = call.connection->credentials;
    if (!peer) return false;
    if (peer->uid == 0 || peer->uid == options_.own_uid.value_or(geteuid())) return true;
    return options_.group && std::find(peer->groups.begin(), peer->groups.end(), *options_.group) != peer->groups.end();
  }
  constexpr std::string_view kBearer = "bearer ";
  if (options_.token.empty() || call.authorization.size() <= kBearer.size()) return false;
  const std::string_view authorization = call.authorization;
  return http::equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer) &&
         crypto::equal_in_constant_time(authorization.substr(kBearer.size()), options_.token.expose());
}

bool AdminApi::admits(const Call& call, Answer& refusal) {
  const std::string_view host = host_of(call.host);
  if (!call.connection->unix_socket && host != "localhost" && !IpAddress::parse(host)) {
    refusal = problem(421, "The Host must be an IP address or localhost.");
    return false;
  }
  if (!call.origin.empty() && call.origin != "http://" + call.host && call.origin != "https://" + call.host) {
    refusal = problem(403, "Pages of another origin have no business here.");
    return false;
  }
  if (call.path == "/healthz" || call.path == "/readyz") return true;
  if (!is_authorized(call)) {
    GH_LOG(warn, "admin: caller refused", {"peer", call.connection->peer.to_string()}, {"path", call.path},
           {"uid", call.connection->credentials ? static_cast<std::int64_t>(call.connection->credentials->uid) : -1});
    refusal =
        problem(401, call.connection->unix_socket ? "Only root, the gateway's own user and the admin group may call."
                                                  : "A bearer token is needed.");
    refusal.challenge = "Bearer realm=\"gatehouse\"";
    return false;
  }
  if ((call.method == "POST" || (call.method == "PATCH" && IdentityApi::serves(call.path))) &&
      !is_json(call.content_type)) {
    refusal = problem(415, "The body must be application/json.");
    return false;
  }
  return true;
}

void AdminApi::answer(const Call& call, const Reply& reply) {
  if (call.method == "POST" && call.path == kReloadPath) return reload(call, reply);
  if (call.method == "POST" && call.path == kRollbackPath) return rollback(call, reply);
  if (identity_.answer && IdentityApi::serves(call.path)) return answer_elsewhere(identity_, call, reply);
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (reads && EventsApi::serves(call.path)) {
    if (events_.answer) return answer_elsewhere(events_, call, reply);
    return reply(problem(404, "No events are kept: telemetry.events says so, or there is no data_dir."));
  }
  if (reads && call.path.starts_with(kRequestPrefix)) return find_request(call, reply);
  reply(answer_at_once(call));
}

// `call` is good until the reply, and whoever asked may be gone by then: the work has its own copy.
void AdminApi::answer_elsewhere(const BlockingPart& part, const Call& call, const Reply& reply) {
  struct Work {
    Call call;
    http::ConnectionInfo connection;
    Answer answer;
  };
  auto work = std::make_shared<Work>(Work{call, *call.connection, {}});
  work->call.connection = &work->connection;
  const bool taken = part.run([&part, work, reply] {
    work->answer = part.answer(work->call);
    part.back([work, reply] { reply(work->answer); });
  });
  if (!taken) reply(problem(503, "Too much is being done at once."));
}

Answer AdminApi::answer_at_once(const Call& call) {
  const std::string_view path = call.path;
  struct Route {
    std::string_view method, path;
    Answer (*handle)(AdminApi&, const Call&);
  };
  static constexpr Route kRoutes[] = {
      {"GET", "/v1/status", [](AdminApi& api, const Call&) { return api.status(); }},
      {"GET", "/v1/config", [](AdminApi& api, const Call&) { return json_answer(api.backend_.effective_config()); }},
      {"POST", kReloadPath, nullptr},  // these two may take long
      {"POST", kRollbackPath, nullptr},
      {"GET", "/v1/bans", [](AdminApi& api, const Call&) { return api.list_bans(); }},
      {"POST", "/v1/bans", [](AdminApi& api, const Call& c) { return api.add_ban(c); }},
      {"DELETE", kBanPrefix, [](AdminApi& api, const Call& c) { return api.remove_ban(c); }},
      {"GET", "/v1/requests", [](AdminApi& api, const Call& c) { return api.list_requests(c); }},
      {"GET", kRequestPrefix, nullptr},  // these look into the store
      {"GET", "/v1/events", nullptr},
      {"GET", "/v1/services", [](AdminApi& api, const Call&) { return api.services(); }},
      {"GET", "/v1/waf/stats", [](AdminApi& api, const Call& c) { return api.waf_stats(c); }},
      {"GET", "/healthz", [](AdminApi&, const Call&) { return text_answer(200, "ok\n"); }},
      {"GET", "/readyz",
       [](AdminApi& api, const Call&) {
         return api.backend_.ready() ? text_answer(200, "ready\n") : text_answer(503, "not ready\n");
       }},
      {"GET", "/metrics",
       [](AdminApi& api, const Call& c) {
         const auto format = telemetry::metrics_format_of(c.accept);
         Answer answer;
         answer.content_type = telemetry::content_type_of(format);
         answer.body = api.backend_.metrics(format);
         return answer;
       }},
  };
  std::string allowed;
  for (const Route& route : kRoutes) {
    const bool prefix = route.path.ends_with('/');
    if (prefix ? !path.starts_with(route.path) || path.size() == route.path.size() : path != route.path) continue;
    if (call.method == route.method || (call.method == "HEAD" && route.method == "GET"))
      return route.handle(*this, call);
    allowed += allowed.empty() ? "" : ", ";
    allowed += route.method;
  }
  if (allowed.empty()) return problem(404, "There is nothing here; docs/admin-api.yaml lists what there is.");
  Answer answer = problem(405, "This method does not apply here.");
  answer.allow = allowed;
  return answer;
}

Answer AdminApi::status() { return json_answer(to_json(backend_.status())); }

void AdminApi::reload(const Call& call, const Reply& reply) {
  const auto body = object_in(call);
  if (!body) return reply(problem(400, "The body must be a JSON object."));
  if (const auto unknown = unknown_member(*body, {"dry_run"}))
    return reply(problem(400, "Unknown member '" + *unknown + "'."));
  bool dry_run = false;
  if (const Json* member = body->find("dry_run")) {
    if (!member->boolean()) return reply(problem(400, "'dry_run' must be true or false."));
    dry_run = *member->boolean();
  }
  backend_.reload(dry_run, [dry_run, reply](const ReloadReport& report) {
    GH_LOG(info, "admin: reload", {"dry_run", dry_run}, {"applied", report.applied}, {"errors", report.errors.size()});
    reply(reload_answer(report));
  });
}

void AdminApi::rollback(const Call& call, const Reply& reply) {
  const auto body = object_in(call);
  if (!body || body->size() != 0) return reply(problem(400, "The body must be an empty JSON object."));
  backend_.rollback([reply](const ReloadReport& report) {
    GH_LOG(info, "admin: rollback", {"applied", report.applied}, {"generation", report.generation});
    reply(reload_answer(report));
  });
}

Answer AdminApi::list_bans() { return json_answer(to_json(backend_.bans())); }

Answer AdminApi::add_ban(const Call& call) {
  const auto body = object_in(call);
  if (!body) return problem(400, "The body must be a JSON object.");
  if (const auto unknown = unknown_member(*body, {"network", "address", "duration", "reason"})) {
    return problem(400, "Unknown member '" + *unknown + "'.");
  }
  const auto network_text = body->find_string("network"), address_text = body->find_string("address");
  if (network_text.has_value() == address_text.has_value()) return problem(400, "Give either 'network' or 'address'.");
  const auto network = Network::parse(network_text ? *network_text : *address_text);
  if (!network) return problem(400, "This is no address and no network. A network must not have host bits set.");
  const auto duration = parse_ban_duration(body->find_string("duration").value_or(""));
  if (!duration) return problem(400, "'duration' must be a time such as \"10m\", \"24h\" or \"7d\", a year at most.");
  if (body->find("reason") != nullptr && !body->find_string("reason")) return problem(400, "'reason' must be a text.");
  const std::string reason(body->find_string("reason").value_or(""));
  if (reason.size() > kReasonBytesMax) return problem(400, "'reason' is too long.");
  if (Status done = backend_.ban(*network, *duration, reason); !done) return error_answer(done.error());
  GH_LOG(info, "admin: ban added", {"network", network->to_string()},
         {"seconds", std::chrono::duration_cast<std::chrono::seconds>(*duration).count()}, {"reason", reason});
  return json_answer("{\"network\":\"" + network->to_string() + "\"}", 201);
}

Answer AdminApi::remove_ban(const Call& call) {
  const auto text = percent_decoded(std::string_view(call.path).substr(kBanPrefix.size()));
  const auto network = text ? Network::parse(*text) : std::nullopt;
  if (!network) return problem(400, "This is no address and no network.");
  if (Status done = backend_.unban(*network); !done) return error_answer(done.error());
  GH_LOG(info, "admin: ban removed", {"network", network->to_string()});
  return json_answer("{}");
}

Answer AdminApi::list_requests(const Call& call) {
  std::size_t limit = kRequestsDefault;
  RecordFilter filter;
  const Status read = read_query(call.query, [&](std::string_view name, const std::string& value) {
    return read_parameter(name, value, limit, filter);
  });
  if (!read) return problem(400, read.error().message);
  return json_answer(to_json(backend_.recent_requests(limit, filter)));
}

Answer AdminApi::waf_stats(const Call& call) {
  WafStatsQuery query;
  const Status read = read_query(
      call.query, [&](std::string_view name, const std::string& value) { return read_parameter(name, value, query); });
  if (!read) return problem(400, read.error().message);
  return json_answer(to_json(backend_.waf_stats(), query));
}

// The newest are in memory; of the others, what was kept.
void AdminApi::find_request(const Call& call, const Reply& reply) {
  const std::string_view id = std::string_view(call.path).substr(kRequestPrefix.size());
  if (!telemetry::is_request_id(id)) return reply(problem(404, "This is no request id."));
  if (auto record = backend_.find_request(id)) return reply(json_answer(std::move(*record)));
  if (events_.answer) return answer_elsewhere(events_, call, reply);
  reply(problem(404, "No record of this request is held any more; the access log may have it."));
}

Answer AdminApi::services() { return json_answer(to_json(backend_.services())); }

}  // namespace gatehouse::admin
