#pragma once
// What the admin API asks of the running program. `app` implements it.
//
// Thread safety: called by the control plane's loop, one call at a time. A call may take as long as reading and
// validating a configuration; it must not wait for a shard that could be waiting for traffic.

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "telemetry/metrics.h"
#include "telemetry/record_ring.h"

namespace gatehouse::admin {

struct ListenerView {
  std::string name, address, zone;
  bool tls = false;
  std::uint64_t connections = 0;  // open now
};

struct ReloadView {
  WallTime time;
  bool applied = false;
  std::string message;  // why it was refused; empty when applied
};

struct StatusView {
  std::string version;
  std::int64_t pid = 0;
  WallTime started, now;
  std::string config_file;
  std::uint64_t generation = 0;
  std::optional<ReloadView> last_reload;
  std::vector<std::string> needs_restart;  // as in ReloadReport, since the last reload that was applied
  std::uint32_t shards = 0;
  bool draining = false;
  std::vector<ListenerView> listeners;
  std::uint32_t services = 0, routes = 0;
  std::uint64_t requests = 0, requests_active = 0, denied = 0;
  std::uint64_t endpoints = 0, endpoints_healthy = 0;
  std::uint64_t bans = 0;
  std::uint64_t log_lines_dropped = 0;
};

struct ReloadReport {
  bool applied = false;  // false with no errors: a dry run
  std::uint64_t generation = 0;
  std::vector<std::string> changes;        // for people: "routes.orders-read.rate_limit: 100/s → 200/s"
  std::vector<std::string> needs_restart;  // keys of which the process keeps the value that it was started with
  std::vector<std::string> errors;         // "file:line:column: what is wrong"; not empty: refused
  std::string config_file;                 // that the program reads
};

struct BanView {
  Network network;
  std::string source;  // "configuration", "operator", "attacks"
  std::string reason;
  std::optional<WallTime> until;  // absent: for as long as it is configured
};

struct EndpointView {
  std::string url;
  std::string health;  // "healthy", "unhealthy", "ejected", "unresolved"
  std::uint64_t requests_active = 0;
  std::uint64_t requests = 0, failures = 0;
  std::string address = {};  // that the name in `url` resolved to
};

struct ServiceView {
  std::string name, balance;
  bool circuit_open = false;
  std::vector<EndpointView> endpoints;
};

// What the counters of one rule say. Times are those of timed requests alone.
struct WafRuleView {
  std::uint64_t rule = 0;
  std::string message;
  WallTime since;         // counted from then on
  bool in_force = false;  // the following of the rules in force; otherwise it was in force before a reload
  std::string file;
  std::uint32_t line = 0;
  std::uint8_t phase = 0, paranoia = 0;
  bool logs = true;  // false: what sets others up, not what finds something
  std::uint64_t hits = 0, evaluations = 0;
  std::chrono::nanoseconds spent{}, worst{};
};

struct WafPartView {
  std::string name;  // "reading", "scanning", "rest"
  std::chrono::nanoseconds spent{}, worst{};
};

struct WafStatsView {
  WallTime since;
  std::uint64_t requests = 0, timed = 0, interrupted = 0;
  std::uint32_t one_in = 0;  // requests, of which one is timed in the long run
  std::vector<WafPartView> parts;
  std::vector<WafRuleView> rules;
};

using ReloadDone = std::function<void(const ReloadReport&)>;

class AdminBackend {
 public:
  virtual ~AdminBackend() = default;

  virtual StatusView status() = 0;
  virtual bool ready() = 0;                    // serving, and not draining
  virtual std::string effective_config() = 0;  // JSON, secrets masked
  // `done` comes when it is over, at once or later on the same loop; not when the program ends before.
  virtual void reload(bool dry_run, ReloadDone done) = 0;
  virtual void rollback(ReloadDone done) = 0;

  virtual std::vector<BanView> bans() = 0;
  virtual Status ban(const Network& network, Duration duration, const std::string& reason) = 0;
  // not_found: there is no such timed ban. denied: the configuration bans it.
  virtual Status unban(const Network& network) = 0;

  virtual std::optional<std::string> find_request(std::string_view request_id) = 0;  // a JSON line
  virtual std::vector<telemetry::StoredRecord> recent_requests(std::size_t limit,
                                                               const telemetry::RecordFilter& filter) = 0;
  virtual std::vector<ServiceView> services() = 0;
  virtual WafStatsView waf_stats() = 0;
  virtual std::string metrics(telemetry::MetricsFormat format) = 0;
  virtual std::string posture() = 0;  // JSON: what `gatehouse check` finds in the file, now
};

}  // namespace gatehouse::admin
