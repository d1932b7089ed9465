#pragma once
// Every metric that Gatehouse exposes: its name, what it says, its labels and its bounds. The one place.
//
// A metric without a sample is left out of the exposition.

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace gatehouse::telemetry {

enum class MetricType : std::uint8_t { counter, gauge, histogram };
// How cells become values: times are counted in nanoseconds and exposed in seconds.
enum class MetricUnit : std::uint8_t { one, nanoseconds };

enum class Metric : std::uint8_t {
  requests,
  request_duration,
  own_duration,
  requests_active,
  received_bytes,
  sent_bytes,
  layer_decisions,
  layer_time,
  waf_rule_hits,
  waf_phase_time,
  http_refused,
  connections,
  connections_opened,
  connections_refused,
  tls_handshakes,
  tunnels_active,
  upstream_requests,
  upstream_duration,
  upstream_retries,
  upstream_connections,
  endpoint_healthy,
  endpoint_ejections,
  requests_queued,
  circuit_refusals,
  circuit_open,
  bans_active,
  bans,
  parked_connections,
  token_cache,
  key_refreshes,
  rate_evictions,
  state_counters_up,
  state_counters_failures,
  state_counters_told,
  state_counters_heard,
  state_counters_left_out,
  collection_evictions,
  collection_variable_evictions,
  certificate_expiry,
  certificate_reloads,
  access_log_dropped,
  access_log_bytes,
  access_log_failures,
  log_lost,
  records_missed,
  events_kept,
  events_dropped,
  events_bytes,
  export_sent,
  export_dropped,
  export_failures,
  export_waiting,
  audit_entries,
  audit_lost,
  audit_failures,
  config_generation,
  config_reloads,
  config_last_reload_successful,
  config_last_reload_time,
  series_folded,
  build_info,
  process_cpu,
  process_resident,
  process_virtual,
  process_fds,
  process_fds_max,
  process_start,
  process_threads,
  count_,
};

struct MetricInfo {
  static constexpr std::size_t kLabelsMax = 4;

  Metric id;
  std::string_view name;  // as in the text format: counters end in _total
  MetricType type;
  MetricUnit unit;
  std::uint16_t series_max;  // what comes beyond is folded into one series whose labels all say `other`
  std::array<std::string_view, kLabelsMax> labels;
  std::string_view help;

  constexpr std::size_t label_count() const noexcept {
    std::size_t count = 0;
    while (count < kLabelsMax && !labels[count].empty()) ++count;
    return count;
  }
};

// clang-format off
inline constexpr std::array<MetricInfo, static_cast<std::size_t>(Metric::count_)> kMetrics = {{
#define GH_COUNTER MetricType::counter, MetricUnit::one
#define GH_GAUGE MetricType::gauge, MetricUnit::one
#define GH_SECONDS MetricType::histogram, MetricUnit::nanoseconds
  {Metric::requests, "gatehouse_requests_total", GH_COUNTER, 8000, {"listener", "route", "status_class", "verdict"},
   "Requests answered, by what became of them. status_class is none when the client left before an answer."},
  {Metric::request_duration, "gatehouse_request_duration_seconds", GH_SECONDS, 1000, {"route"},
   "From the first byte of a request to the last byte of its response."},
  {Metric::own_duration, "gatehouse_own_duration_seconds", GH_SECONDS, 1, {},
   "The gateway's own share of a request's duration, without the upstream and the client's pace."},
  {Metric::requests_active, "gatehouse_requests_active", GH_GAUGE, 100, {"listener"},
   "Requests in progress, tunnels included."},
  {Metric::received_bytes, "gatehouse_received_bytes_total", GH_COUNTER, 100, {"listener"},
   "Bytes of requests, framing included."},
  {Metric::sent_bytes, "gatehouse_sent_bytes_total", GH_COUNTER, 100, {"listener"},
   "Bytes of responses, framing included."},
  {Metric::layer_decisions, "gatehouse_layer_decisions_total", GH_COUNTER, 1000, {"layer", "verdict", "mode", "reason"},
   "What each layer decided. In mode monitor a verdict is recorded and not acted on."},
  {Metric::layer_time, "gatehouse_layer_seconds_total", MetricType::counter, MetricUnit::nanoseconds, 20, {"layer"},
   "Time spent deciding, by layer."},
  {Metric::waf_rule_hits, "gatehouse_waf_rule_hits_total", GH_COUNTER, 1000, {"rule"},
   "Requests in which an inspection rule matched."},
  {Metric::waf_phase_time, "gatehouse_waf_phase_seconds_total", MetricType::counter, MetricUnit::nanoseconds, 5, {"phase"},
   "Time spent inspecting: 1 heads of requests, 2 their bodies, 3 and 4 heads and bodies of answers, 5 what rules count."},
  {Metric::http_refused, "gatehouse_http_refused_total", GH_COUNTER, 400, {"listener", "reason"},
   "Messages refused by the protocol codecs: syntax, framing, bounds and floods."},
  {Metric::connections, "gatehouse_connections", GH_GAUGE, 400, {"listener", "state"},
   "Open downstream connections: handshake, active, idle, tunnel or draining."},
  {Metric::connections_opened, "gatehouse_connections_opened_total", GH_COUNTER, 100, {"listener"},
   "Downstream connections accepted."},
  {Metric::connections_refused, "gatehouse_connections_refused_total", GH_COUNTER, 400, {"listener", "reason"},
   "Downstream connections closed at once: too many in all or of one address, banned, or out of file descriptors."},
  {Metric::tls_handshakes, "gatehouse_tls_handshakes_total", GH_COUNTER, 400, {"listener", "result"},
   "TLS handshakes with clients: full, resumed or failed."},
  {Metric::tunnels_active, "gatehouse_tunnels_active", GH_GAUGE, 100, {"listener"},
   "Open WebSockets and other tunnels."},
  {Metric::upstream_requests, "gatehouse_upstream_requests_total", GH_COUNTER, 2000, {"service", "outcome"},
   "Attempts at upstreams, by outcome."},
  {Metric::upstream_duration, "gatehouse_upstream_duration_seconds", GH_SECONDS, 500, {"service"},
   "From sending a request upstream to the end of its response, per attempt."},
  {Metric::upstream_retries, "gatehouse_upstream_retries_total", GH_COUNTER, 1000, {"service", "result"},
   "Further attempts made, and those refused by the retry budget."},
  {Metric::upstream_connections, "gatehouse_upstream_connections", GH_GAUGE, 2000, {"service", "state"},
   "Upstream connections: active or idle."},
  {Metric::endpoint_healthy, "gatehouse_endpoint_healthy", GH_GAUGE, 2000, {"service", "endpoint"},
   "1 while an endpoint takes traffic, 0 while it is unhealthy or ejected."},
  {Metric::endpoint_ejections, "gatehouse_endpoint_ejections_total", GH_COUNTER, 2000, {"service", "endpoint"},
   "Times an endpoint was ejected for consecutive errors."},
  {Metric::requests_queued, "gatehouse_upstream_requests_queued", GH_GAUGE, 1000, {"service"},
   "Requests that wait because all connections to the service are in use."},
  {Metric::circuit_refusals, "gatehouse_circuit_refusals_total", GH_COUNTER, 1000, {"service", "limit"},
   "Requests refused because a circuit limit of the service (requests, pending) was reached."},
  {Metric::circuit_open, "gatehouse_circuit_open", GH_GAUGE, 1000, {"service"},
   "1 while a circuit limit of the service is reached."},
  {Metric::bans_active, "gatehouse_bans_active", GH_GAUGE, 1, {},
   "Networks and addresses banned at the moment, the configured ones included."},
  {Metric::bans, "gatehouse_bans_total", GH_COUNTER, 100, {"source"},
   "Bans set: by an operator or by a penalty."},
  {Metric::parked_connections, "gatehouse_parked_connections", GH_GAUGE, 1, {},
   "Requests held back by a penalty's delay."},
  {Metric::token_cache, "gatehouse_token_cache_total", GH_COUNTER, 10, {"result"},
   "Look-ups of verified tokens: hit or miss."},
  {Metric::key_refreshes, "gatehouse_key_refreshes_total", GH_COUNTER, 200, {"issuer", "result"},
   "Fetches of an issuer's keys. After a failure the last good keys stay in use."},
  {Metric::rate_evictions, "gatehouse_rate_live_evictions_total", GH_COUNTER, 1, {},
   "Counts of clients that were given up while they still limited somebody: state.rate_entries is too small."},
  {Metric::state_counters_up, "gatehouse_state_counters_up", GH_GAUGE, 1, {},
   "1 while limits are shared with other gateways over Redis, 0 while each counts alone. Absent with state.counters: memory."},
  {Metric::state_counters_failures, "gatehouse_state_counters_failures_total", GH_COUNTER, 10, {"reason"},
   "Times that Redis could not be used: unreachable, timeout, refused, protocol or tls."},
  {Metric::state_counters_told, "gatehouse_state_counters_told_total", GH_COUNTER, 2, {"kind"},
   "Told to other gateways: rates (a limit's key with what was admitted) and notices (failed logins, attacks, bans)."},
  {Metric::state_counters_heard, "gatehouse_state_counters_heard_total", GH_COUNTER, 1, {},
   "Notices of other gateways, and one's own coming back."},
  {Metric::state_counters_left_out, "gatehouse_state_counters_left_out_total", GH_COUNTER, 1, {},
   "What other gateways were not told because there was no room for it; it counts at this one only."},
  {Metric::collection_evictions, "gatehouse_waf_collection_evictions_total", GH_COUNTER, 1, {},
   "Records of clients (the collection IP of inspection rules) that made room before their end."},
  {Metric::collection_variable_evictions, "gatehouse_waf_collection_variable_evictions_total", GH_COUNTER, 1, {},
   "Variables of such records that made room before their end, because theirs was full."},
  {Metric::certificate_expiry, "gatehouse_certificate_expiry_timestamp_seconds", GH_GAUGE, 1000, {"listener", "certificate"},
   "When a listener's certificate ends, in seconds since the epoch; the label names its file."},
  {Metric::certificate_reloads, "gatehouse_certificate_reloads_total", GH_COUNTER, 10, {"result"},
   "Times that certificates were read again by themselves: applied, or failed and the last good ones kept."},
  {Metric::access_log_dropped, "gatehouse_access_log_dropped_total", GH_COUNTER, 1, {},
   "Access-log lines dropped because writing was too slow."},
  {Metric::access_log_bytes, "gatehouse_access_log_bytes_total", GH_COUNTER, 1, {},
   "Bytes written to the access log."},
  {Metric::access_log_failures, "gatehouse_access_log_failures_total", GH_COUNTER, 1, {},
   "Failed writes to the access log."},
  {Metric::log_lost, "gatehouse_log_lost_total", GH_COUNTER, 1, {},
   "Lines of the program's own log lost because standard error took nothing."},
  {Metric::records_missed, "gatehouse_records_missed_total", GH_COUNTER, 1, {},
   "Decision records overwritten before they could be kept, exported or audited."},
  {Metric::events_kept, "gatehouse_events_kept_total", GH_COUNTER, 10, {"kind"},
   "Events written to the event store: requests, and what people and administrators did."},
  {Metric::events_dropped, "gatehouse_events_dropped_total", GH_COUNTER, 10, {"reason"},
   "Events that the event store did not take: its queue was full, or writing failed."},
  {Metric::events_bytes, "gatehouse_events_bytes", GH_GAUGE, 1, {},
   "Size of the event store."},
  {Metric::export_sent, "gatehouse_export_sent_total", GH_COUNTER, 200, {"exporter", "signal"},
   "Metrics, traces and records that a receiver has taken."},
  {Metric::export_dropped, "gatehouse_export_dropped_total", GH_COUNTER, 200, {"exporter", "reason"},
   "Metrics, traces and records given up: the queue and its spool were full, or the receiver refused them."},
  {Metric::export_failures, "gatehouse_export_failures_total", GH_COUNTER, 200, {"exporter", "reason"},
   "Tries that a receiver did not take. They are repeated."},
  {Metric::export_waiting, "gatehouse_export_waiting_bytes", GH_GAUGE, 200, {"exporter"},
   "What waits in memory and in the spool for a receiver."},
  {Metric::audit_entries, "gatehouse_audit_entries_total", GH_COUNTER, 20, {"kind"},
   "Entries of the audit log."},
  {Metric::audit_lost, "gatehouse_audit_lost_total", GH_COUNTER, 20, {"reason"},
   "Denials of requests that the audit log holds only as a number."},
  {Metric::audit_failures, "gatehouse_audit_failures_total", GH_COUNTER, 20, {"reason"},
   "Times that the audit log could not be written, or a checkpoint not be put elsewhere."},
  {Metric::config_generation, "gatehouse_config_generation", GH_GAUGE, 1, {},
   "Number of the configuration in force; grows with every reload that is applied."},
  {Metric::config_reloads, "gatehouse_config_reloads_total", GH_COUNTER, 10, {"result"},
   "Reloads: applied or refused."},
  {Metric::config_last_reload_successful, "gatehouse_config_last_reload_successful", GH_GAUGE, 1, {},
   "1 if the last reload was applied, 0 if it was refused."},
  {Metric::config_last_reload_time, "gatehouse_config_last_reload_success_timestamp_seconds", GH_GAUGE, 1, {},
   "When a configuration was last applied, in seconds since the epoch."},
  {Metric::series_folded, "gatehouse_metric_series_folded_total", GH_COUNTER, 64, {"metric"},
   "Label sets beyond a metric's bound, counted under the label value other."},
  {Metric::build_info, "gatehouse_build_info", GH_GAUGE, 1, {"version"},
   "Always 1; the label names the version."},
  {Metric::process_cpu, "process_cpu_seconds_total", MetricType::counter, MetricUnit::one, 1, {},
   "User and system time spent."},
  {Metric::process_resident, "process_resident_memory_bytes", GH_GAUGE, 1, {}, "Resident memory."},
  {Metric::process_virtual, "process_virtual_memory_bytes", GH_GAUGE, 1, {}, "Virtual memory."},
  {Metric::process_fds, "process_open_fds", GH_GAUGE, 1, {}, "Open file descriptors."},
  {Metric::process_fds_max, "process_max_fds", GH_GAUGE, 1, {}, "The limit on open file descriptors."},
  {Metric::process_start, "process_start_time_seconds", GH_GAUGE, 1, {}, "When the process started, in seconds since the epoch."},
  {Metric::process_threads, "process_threads", GH_GAUGE, 1, {}, "Threads of the process."},
#undef GH_COUNTER
#undef GH_GAUGE
#undef GH_SECONDS
}};
// clang-format on

constexpr const MetricInfo& info_of(Metric metric) noexcept { return kMetrics[static_cast<std::size_t>(metric)]; }
static_assert([] {
  for (std::size_t i = 0; i < kMetrics.size(); ++i) {
    if (kMetrics[i].id != static_cast<Metric>(i) || kMetrics[i].help.empty()) return false;
  }
  return true;
}());

// Upper bounds of histogram buckets in nanoseconds; +Inf follows. The first are those that OpenTelemetry names for
// http.server.request.duration, the second resolve microseconds.
inline constexpr std::size_t kBuckets = 14;
using BucketBounds = std::array<std::uint64_t, kBuckets>;
inline constexpr BucketBounds kRequestBuckets = {
    5'000'000,   10'000'000,  25'000'000,    50'000'000,    75'000'000,    100'000'000,   250'000'000,
    500'000'000, 750'000'000, 1'000'000'000, 2'500'000'000, 5'000'000'000, 7'500'000'000, 10'000'000'000};
inline constexpr BucketBounds kOwnBuckets = {5'000,     10'000,     20'000,      35'000,       50'000,
                                             75'000,    100'000,    250'000,     500'000,      1'000'000,
                                             2'500'000, 10'000'000, 100'000'000, 1'000'000'000};

constexpr const BucketBounds& buckets_of(Metric metric) noexcept {
  return metric == Metric::own_duration ? kOwnBuckets : kRequestBuckets;
}

}  // namespace gatehouse::telemetry
