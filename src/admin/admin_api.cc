#include "admin/admin_api.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "admin/calls.h"
#include "admin/dashboard/static_pages.h"
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
constexpr std::string_view kReloadPath = "/v1/reload", kRollbackPath = "/v1/rollback", kSessionPath = "/v1/session";
constexpr std::string_view kBanPrefix = "/v1/bans/", kRequestPrefix = "/v1/requests/";

Answer text_answer(int status, std::string_view text) {
  Answer answer;
  answer.status = status;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = text;
  return answer;
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

void AdminApi::answer(const Call& call, const Reply& reply) {
  const bool reads = call.method == "GET" || call.method == "HEAD";
  if (!reads && guard_.before) return act(call, reply);
  answer_admitted(call, reply);
}

// Known before it is done, and how it ended afterwards. Whoever is not known yet asks for nothing that has to wait:
// what became of a sign-in is told, and other calls that are for everybody change nothing.
void AdminApi::act(const Call& call, const Reply& reply) {
  struct Act {
    Call call;
    http::ConnectionInfo connection;
  };
  auto act = std::make_shared<Act>(Act{call, *call.connection});
  act->call.connection = &act->connection;
  act->call.caller = caller_of(call).name;
  const bool unknown = act->call.caller.empty();
  if (unknown && call.path != kSessionPath) return answer_admitted(call, reply);
  const auto go = [this, act, reply](const Status& known) {
    if (!known) {
      GH_LOG(error, "admin: nothing was done, since it could not be recorded", {"path", act->call.path},
             {"reason", known.error().message});
      return reply(problem(503, "The audit log cannot be written, so nothing is changed."));
    }
    answer_admitted(act->call, [this, act, reply](const Answer& answer) {
      guard_.after(act->call, answer.status);
      reply(answer);
    });
  };
  if (unknown) {
    act->call.caller = "nobody";
    return go({});
  }
  guard_.before(act->call, [this, go](const Status& known) { guard_.back([go, known] { go(known); }); });
}

void AdminApi::answer_admitted(const Call& call, const Reply& reply) {
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
  work->call.caller = caller_of(call).name;
  work->call.connection = &work->connection;
  const bool taken = part.run([&part, work, reply] {
    work->answer = part.answer(work->call);
    part.back([work, reply] { reply(work->answer); });
  });
  if (!taken) reply(problem(503, "Too much is being done at once."));
}

Answer AdminApi::answer_at_once(const Call& call) {
  if (auto page = dashboard_answer(call)) return std::move(*page);
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
      {"GET", "/v1/reasons", [](AdminApi& api, const Call& c) { return api.reasons(c); }},
      {"GET", "/v1/posture", [](AdminApi& api, const Call&) { return json_answer(api.backend_.posture()); }},
      {"GET", "/v1/traffic", [](AdminApi& api, const Call& c) { return api.traffic(c); }},
      {"GET", "/v1/live", [](AdminApi& api, const Call& c) { return api.live(c); }},
      {"GET", kSessionPath, [](AdminApi& api, const Call& c) { return api.session(c); }},
      {"POST", kSessionPath, [](AdminApi& api, const Call& c) { return api.sign_in(c); }},
      {"DELETE", kSessionPath, [](AdminApi& api, const Call& c) { return api.sign_out(c); }},
      {"POST", "/v1/session/code", [](AdminApi& api, const Call& c) { return api.make_code(c); }},
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
    return problem(400, *unknown);
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
    if (name == "limit") return read_count(name, value, kRequestsMax, limit);
    bool known = false;
    if (Status done = read_filter(name, value, filter, known); !done || known) return done;
    return Status(
        fail(ErrorCode::invalid, fmt::format("'{}' is no parameter: verdict, layer, client and limit are.", name)));
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

Answer AdminApi::reasons(const Call& call) {
  std::vector<std::string> codes;
  const Status read = read_query(call.query, [&](std::string_view name, const std::string& value) {
    if (name != "code") return Status(fail(ErrorCode::invalid, fmt::format("'{}' is no parameter: code is.", name)));
    codes.push_back(value);
    return Status();
  });
  if (!read) return problem(400, read.error().message);
  return json_answer(reasons_json(codes));
}

Answer AdminApi::services() { return json_answer(to_json(backend_.services())); }

}  // namespace gatehouse::admin
