// What the control plane shows through the admin API and the metrics page.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "app/commands/check.h"
#include "app/config/documents.h"
#include "app/control/control_plane.h"
#include "app/control/shared_counters.h"
#include "gateway/layers/bans/ban_table.h"
#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

std::unordered_map<std::uint64_t, std::uint32_t> heads_by_id(const waf::RuleEngine* engine) {
  std::unordered_map<std::uint64_t, std::uint32_t> heads;
  if (engine == nullptr) return heads;
  for (std::size_t phase = 1; phase <= waf::Program::kPhases; ++phase) {
    for (const std::uint32_t head : engine->program->phase(phase))
      heads[engine->program->rule(head).source->actions.id] = head;
  }
  return heads;
}

}  // namespace

admin::StatusView ControlPlane::status() {
  const auto snapshot = parts_.gateway.snapshot();
  const gateway::Config& config = *snapshot->config;
  admin::StatusView view;
  view.version = GATEHOUSE_VERSION;
  view.pid = ::getpid();
  view.started = started_;
  view.now = parts_.clock.wall();
  view.config_file = config_file_;
  view.generation = snapshot->generation;
  view.last_reload = last_reload_;
  view.needs_restart = needs_restart_;
  view.shards = parts_.gateway.shards();
  view.draining = draining_;
  for (const gateway::BoundListener& listener : parts_.gateway.listeners()) {
    admin::ListenerView one;
    one.name = listener.name;
    one.address = listener.bound;
    one.connections = listener.connections->count();
    for (const gateway::ListenerConfig& configured : config.listeners) {
      if (configured.name != listener.name) continue;
      one.zone = config.zones[configured.zone].name;
      one.tls = configured.tls.has_value();
    }
    view.listeners.push_back(std::move(one));
  }
  view.services = static_cast<std::uint32_t>(config.services.size());
  view.routes = static_cast<std::uint32_t>(config.routes.size());
  const MonotonicTime now = parts_.clock.now();
  for (const auto& cluster : snapshot->clusters) {
    for (const gateway::Endpoint* endpoint : cluster->endpoints()) {
      ++view.endpoints;
      view.endpoints_healthy += endpoint->available(now) ? 1 : 0;
    }
    view.requests_active += cluster->requests().used();
  }
  constexpr std::size_t kVerdictLabel = 3;
  view.requests = static_cast<std::uint64_t>(parts_.metrics.total(telemetry::Metric::requests));
  view.denied = static_cast<std::uint64_t>(parts_.metrics.total(telemetry::Metric::requests, kVerdictLabel, "deny"));
  view.bans = parts_.state.bans().size();
  view.log_lines_dropped = parts_.access_log.counters().lines_dropped;
  return view;
}

std::string ControlPlane::effective_config() { return effective_json(*parts_.gateway.snapshot()->config); }

std::vector<admin::BanView> ControlPlane::bans() {
  std::vector<admin::BanView> views;
  for (const Network& network : parts_.gateway.snapshot()->config->bans.deny) {
    views.push_back({network, "configuration", "bans.deny", std::nullopt});
  }
  for (const gateway::Ban& ban : parts_.state.bans().list()) {
    const bool by_hand = ban.reason.starts_with("operator: ");
    views.push_back(
        {ban.network, by_hand ? "operator" : "attacks", by_hand ? ban.reason.substr(10) : ban.reason, ban.until});
  }
  return views;
}

Status ControlPlane::ban(const Network& network, Duration duration, const std::string& reason) {
  parts_.state.bans().add(network, duration, "operator: " + reason);
  parts_.metrics.count(telemetry::Metric::bans, {"operator"});
  return {};
}

Status ControlPlane::unban(const Network& network) {
  if (parts_.state.bans().remove(network)) return {};
  for (const Network& configured : parts_.gateway.snapshot()->config->bans.deny) {
    if (configured == network) return fail(ErrorCode::denied, "the configuration bans it");
  }
  return fail(ErrorCode::not_found, "there is no such ban");
}

std::optional<std::string> ControlPlane::find_request(std::string_view request_id) {
  return parts_.records.find(request_id);
}

std::vector<telemetry::StoredRecord> ControlPlane::recent_requests(std::size_t limit,
                                                                   const telemetry::RecordFilter& filter) {
  return parts_.records.recent(limit, filter);
}

std::vector<admin::ServiceView> ControlPlane::services() {
  std::vector<admin::ServiceView> views;
  static constexpr std::string_view kBalances[] = {"round_robin", "least_requests", "random_two", "hash"};
  const MonotonicTime now = parts_.clock.now();
  for (const auto& cluster : parts_.gateway.snapshot()->clusters) {
    admin::ServiceView view;
    view.name = cluster->name();
    view.balance = kBalances[static_cast<std::size_t>(cluster->config().balance)];
    view.circuit_open = cluster->requests().used() >= cluster->requests().max() ||
                        (cluster->connections().used() >= cluster->connections().max() &&
                         cluster->pending().used() >= cluster->pending().max());
    for (const gateway::EndpointStatus& status : cluster->status(now)) {
      const bool unhealthy = status.health == gateway::Health::unhealthy;
      view.endpoints.push_back({status.url.empty() ? status.name : status.url,
                                unhealthy        ? "unhealthy"
                                : status.ejected ? "ejected"
                                                 : "healthy",
                                status.active, status.requests, status.errors, status.name});
    }
    // A name without an address has no endpoint to count anything: it is shown all the same.
    for (const gateway::EndpointConfig& configured : cluster->config().endpoints) {
      const bool resolved = std::any_of(view.endpoints.begin(), view.endpoints.end(),
                                        [&](const admin::EndpointView& one) { return one.url == configured.url; });
      if (!resolved) view.endpoints.push_back({configured.url, "unresolved", 0, 0, 0});
    }
    views.push_back(std::move(view));
  }
  return views;
}

admin::WafStatsView ControlPlane::waf_stats() {
  const waf::RuleStatistics::Report report = parts_.state.rule_statistics().report();
  admin::WafStatsView view;
  view.since = report.since;
  view.requests = report.requests;
  view.timed = report.timed;
  view.interrupted = report.interrupted;
  view.one_in = waf::RuleStatistics::kOneIn;
  static constexpr std::array<const char*, waf::kCostParts> kParts{"reading", "scanning", "rest"};
  for (std::size_t i = 0; i < waf::kCostParts; ++i)
    view.parts.push_back({kParts[i], report.parts[i].spent, report.parts[i].worst});
  const auto snapshot = parts_.gateway.snapshot();
  const waf::RuleEngine* const engine = snapshot->waf->engine().get();
  const auto heads = heads_by_id(engine);
  for (const waf::RuleStatistics::RuleFigures& figures : report.rules) {
    admin::WafRuleView& rule = view.rules.emplace_back();
    rule.rule = figures.id;
    rule.message = figures.message;
    rule.since = figures.since;
    rule.hits = figures.hits;
    rule.evaluations = figures.evaluations;
    rule.spent = figures.spent;
    rule.worst = figures.worst;
    const auto head = heads.find(figures.id);
    if (head == heads.end()) continue;
    const waf::RuleSet& source = engine->program->source();
    const waf::Rule& written = *engine->program->rule(head->second).source;
    rule.in_force = true;
    rule.file = source.files[written.position.file];
    rule.line = written.position.line;
    rule.phase = written.actions.phase;
    rule.logs = written.actions.log && written.actions.phase < 5;  // what that would log, the record has
    rule.paranoia = engine->plan == nullptr ? 1 : static_cast<std::uint8_t>(engine->plan->lane_of(head->second) + 1);
  }
  return view;
}

std::string ControlPlane::metrics(telemetry::MetricsFormat format) { return parts_.metrics.render(format); }

std::string ControlPlane::posture() {
  CheckOptions options;
  options.config_path = config_file_;
  options.format = "json";
  return check(options, parts_.clock, false).text;
}

void ControlPlane::collect(telemetry::MetricSamples& samples) {
  using telemetry::Metric;
  const auto snapshot = parts_.gateway.snapshot();
  const MonotonicTime now = parts_.clock.now();
  samples.add(Metric::config_generation, {}, static_cast<double>(snapshot->generation));
  if (last_reload_) {
    samples.add(Metric::config_last_reload_successful, {}, last_reload_->applied ? 1 : 0);
    if (last_reload_->applied) {
      const auto seconds = std::chrono::duration<double>(last_reload_->time.time_since_epoch()).count();
      samples.add(Metric::config_last_reload_time, {}, seconds);
    }
  }
  for (const gateway::BoundListener& listener : parts_.gateway.listeners()) {
    samples.add(Metric::connections, {listener.name, "open"}, listener.connections->count());
  }
  for (const auto& cluster : snapshot->clusters) {
    const bool open = cluster->requests().used() >= cluster->requests().max() ||
                      (cluster->connections().used() >= cluster->connections().max() &&
                       cluster->pending().used() >= cluster->pending().max());
    samples.add(Metric::circuit_open, {cluster->name()}, open ? 1 : 0);
    samples.add(Metric::circuit_refusals, {cluster->name(), "requests"},
                static_cast<double>(cluster->requests().refused()));
    samples.add(Metric::circuit_refusals, {cluster->name(), "pending"},
                static_cast<double>(cluster->pending().refused()));
    samples.add(Metric::requests_queued, {cluster->name()}, cluster->pending().used());
    samples.add(Metric::upstream_connections, {cluster->name(), "open"}, cluster->connections().used());
    for (const gateway::Endpoint* endpoint : cluster->endpoints()) {
      samples.add(Metric::endpoint_healthy, {cluster->name(), endpoint->name}, endpoint->available(now) ? 1 : 0);
      samples.add(Metric::endpoint_ejections, {cluster->name(), endpoint->name}, endpoint->times_ejected.load());
    }
  }
  samples.add(Metric::bans_active, {},
              static_cast<double>(parts_.state.bans().size() + snapshot->config->bans.deny.size()));
  samples.add(Metric::parked_connections, {}, parts_.state.parked().count());
  samples.add(Metric::bans, {"penalty"}, static_cast<double>(parts_.state.bans().repeated()));
  samples.add(Metric::token_cache, {"hit"}, static_cast<double>(parts_.state.token_lookups().hits.total()));
  samples.add(Metric::token_cache, {"miss"}, static_cast<double>(parts_.state.token_lookups().misses.total()));
  samples.add(Metric::rate_evictions, {}, static_cast<double>(parts_.state.rate().live_evictions()));
  if (parts_.counters != nullptr) parts_.counters->collect(samples);
  const waf::MemoryCollections::Statistics kept = parts_.state.collections().statistics();
  samples.add(Metric::collection_evictions, {}, static_cast<double>(kept.evicted));
  samples.add(Metric::collection_variable_evictions, {}, static_cast<double>(kept.variables_evicted));
  for (const CertificateWatch::Certificate& certificate : certificates_.certificates()) {
    const auto seconds = std::chrono::duration<double>(certificate.expires.time_since_epoch()).count();
    samples.add(Metric::certificate_expiry, {certificate.served.listener, certificate.served.file}, seconds);
  }
  samples.add(Metric::log_lost, {}, static_cast<double>(telemetry::Log::instance().lost()));
  const telemetry::AccessLogCounters log = parts_.access_log.counters();
  samples.add(Metric::access_log_dropped, {}, static_cast<double>(log.lines_dropped));
  samples.add(Metric::access_log_bytes, {}, static_cast<double>(log.bytes_written));
  samples.add(Metric::access_log_failures, {}, static_cast<double>(log.write_failures));
}

}  // namespace gatehouse::app
