#pragma once
// Everything around the data plane: reloads and rollback, health checks and name resolution, the admin API and the
// metrics page, signals, replacement by a new program. Runs the main thread's loop.
//
// One thread, the main one. What it starts ends before it.

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin_api.h"
#include "admin/backend.h"
#include "admin/service_sink.h"
#include "app/commands/run.h"
#include "app/control/access_log_switch.h"
#include "app/control/certificate_watch.h"
#include "app/control/control_listener.h"
#include "app/control/rule_loader.h"
#include "gateway/server/gateway.h"
#include "gateway/upstream/discovery.h"
#include "gateway/upstream/health_prober.h"
#include "net/dns.h"
#include "net/loop.h"

namespace gatehouse::app {

class AuditRuntime;
class IdentityRuntime;
class LoginRuntime;
class Observers;
class SharedCounters;

struct ControlPlaneParts {  // all of it outlives the control plane
  gateway::Gateway& gateway;
  gateway::SharedState& state;
  telemetry::RecordStore& records;
  AccessLogSwitch& access_log;
  telemetry::Metrics& metrics;
  RuleLoader& rules;
  const Clock& clock;
  IdentityRuntime* identity = nullptr;       // null: not configured
  LoginRuntime* login = nullptr;             // likewise
  const SharedCounters* counters = nullptr;  // null: in memory
  Observers* observers = nullptr;            // null: nothing is kept
  AuditRuntime* audit = nullptr;             // null: there is none
};

class ControlPlane final : public admin::AdminBackend, private net::IoHandler, private net::Timer::Handler {
 public:
  static Result<std::unique_ptr<ControlPlane>> create(ControlPlaneParts parts, std::string config_file);
  ~ControlPlane() override;

  // Opens the admin and metrics sockets; before privileges are dropped.
  Status open_sockets();
  ReadyInfo ready_info() const;
  // Begins to resolve names and to check health; returns when every name has been answered, or after `at_most`.
  void settle(Duration at_most);
  int run();  // until drained; the exit code

  // admin::AdminBackend
  admin::StatusView status() override;
  bool ready() override { return serving_ && !draining_; }
  std::string effective_config() override;
  void reload(bool dry_run, admin::ReloadDone done) override;
  void rollback(admin::ReloadDone done) override;
  std::vector<admin::BanView> bans() override;
  Status ban(const Network& network, Duration duration, const std::string& reason) override;
  Status unban(const Network& network) override;
  std::optional<std::string> find_request(std::string_view request_id) override;
  std::vector<telemetry::StoredRecord> recent_requests(std::size_t limit,
                                                       const telemetry::RecordFilter& filter) override;
  std::vector<admin::ServiceView> services() override;
  admin::WafStatsView waf_stats() override;
  std::string metrics(telemetry::MetricsFormat format) override;
  std::string posture() override;

 private:
  ControlPlane(ControlPlaneParts parts, std::string config_file);
  void on_io(std::uint32_t events) override;  // signals
  void on_timer(net::Timer& timer) override;
  void on_signal(int signal);
  void begin_drain();
  void tell_login(const gateway::Config& config);
  void replace_program();
  // What a new configuration needs besides a snapshot, opened aside.
  struct Prepared {
    std::unique_ptr<telemetry::AccessLog> access_log;  // null: the one in force stays
    bool metrics_change = false;
    std::unique_ptr<ControlListener> metrics;
  };
  Result<Prepared> prepare(const gateway::Config& config);
  Status try_out(std::shared_ptr<const gateway::Config> config);
  // One after the other: the rules of one are compiled while the next waits.
  struct Change {
    enum class Kind : std::uint8_t { reload, dry_run, rollback } kind = Kind::reload;
    admin::ReloadDone done;  // empty: a signal asked for it
  };
  void want(Change change);
  void begin_next_change();
  void begin_change(const Change& change);
  void end_change(const Change& change, const admin::ReloadReport& report);
  admin::ReloadReport unchanged() const;
  std::shared_ptr<const gateway::Config> read_config(bool dry_run, admin::ReloadReport& report);
  admin::ReloadReport try_out_and_tell(std::shared_ptr<const gateway::Config> config);
  admin::ReloadReport apply(std::shared_ptr<const gateway::Config> config);
  Result<std::unique_ptr<ControlListener>> open_metrics(const gateway::Config& config);
  void watch_upstreams();
  void note_certificates(CertificateWatch::Stamps stamps);
  void read_certificates_again();
  void save_bans_if_changed();
  void collect(telemetry::MetricSamples& samples);

  ControlPlaneParts parts_;
  const std::string config_file_;
  const std::shared_ptr<const gateway::Config> started_with_;
  std::unique_ptr<net::Loop> loop_;
  net::Fd signals_;
  net::IoToken signal_token_;
  net::Timer tick_{*this}, live_tick_{*this};
  std::unique_ptr<net::Resolver> resolver_;
  std::unique_ptr<gateway::Discovery> discovery_;
  std::unique_ptr<gateway::HealthProber> prober_;
  std::unique_ptr<admin::LiveFeed> live_;
  std::unique_ptr<admin::AdminApi> admin_api_;
  std::unique_ptr<admin::MetricsService> metrics_page_;
  std::unique_ptr<admin::ServiceSink> admin_sink_, metrics_sink_;
  std::unique_ptr<ControlListener> admin_listener_, metrics_listener_;
  std::shared_ptr<const gateway::Config> before_;  // what `rollback` goes back to
  std::optional<admin::ReloadView> last_reload_;
  std::vector<std::string> needs_restart_;
  std::deque<Change> changes_;  // that wait; by signals one at most, others by as many callers as are connected
  bool changing_ = false;
  WallTime started_;
  CertificateWatch certificates_;
  std::uint64_t bans_saved_ = 0;  // the revision that is on disk
  int successor_fd_ = -1;         // the new program says here that it serves
  net::IoToken successor_token_;
  bool serving_ = false, draining_ = false;
  bool succeeded_ = false;  // the files in data_dir are the new program's
  int exit_code_ = 0;
};

}  // namespace gatehouse::app
