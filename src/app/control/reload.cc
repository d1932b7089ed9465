// Reloads and rollback: everything new is made aside, the rules on a thread of their own, and only when all of it is
// there does it take the old one's place.

#include <algorithm>

#include "app/audit/audit_runtime.h"
#include "app/config/load.h"
#include "app/control/config_difference.h"
#include "app/control/control_plane.h"
#include "app/identity/login_runtime.h"
#include "app/process/notify.h"
#include "app/process/readable.h"
#include "base/file.h"
#include "telemetry/log.h"

namespace gatehouse::app {

namespace {

std::string line_of(const Diagnostic& diagnostic) {
  return fmt::format("{}:{}:{}: {}{}", diagnostic.file, diagnostic.position.line, diagnostic.position.column,
                     diagnostic.message, diagnostic.hint.empty() ? "" : fmt::format(" ({})", diagnostic.hint));
}

// We are no longer root: files that only root can read are the usual reason, and the error names but one of them.
void add_remedies(const gateway::Config& config, admin::ReloadReport& report) {
  for (const NeededFile& file : files_of(config)) {
    const std::string remedy = remedy_for(file.path);
    if (!remedy.empty())
      report.errors.push_back(fmt::format("{}: the gateway runs as \"{}\" and cannot read it ({})", file.path,
                                          own_file_user().name, remedy));
  }
}

// One error may be a list, a line each.
void add_errors(std::string_view message, admin::ReloadReport& report) {
  while (!message.empty()) {
    const std::size_t end = std::min(message.find('\n'), message.size());
    report.errors.emplace_back(message.substr(0, end));
    message.remove_prefix(std::min(end + 1, message.size()));
  }
}

}  // namespace

admin::ReloadReport ControlPlane::unchanged() const {
  admin::ReloadReport report;
  report.config_file = config_file_;
  report.generation = parts_.gateway.snapshot()->generation;
  return report;
}

void ControlPlane::reload(bool dry_run, admin::ReloadDone done) {
  want({dry_run ? Change::Kind::dry_run : Change::Kind::reload, std::move(done)});
}

void ControlPlane::rollback(admin::ReloadDone done) { want({Change::Kind::rollback, std::move(done)}); }

// A signal that comes while another's reload waits asks for the same.
void ControlPlane::want(Change change) {
  const auto by_signal = [](const Change& one) { return !one.done; };
  if (by_signal(change) && std::any_of(changes_.begin(), changes_.end(), by_signal)) return;
  changes_.push_back(std::move(change));
  begin_next_change();
}

void ControlPlane::begin_next_change() {
  while (!changing_ && !changes_.empty()) {
    const Change change = std::move(changes_.front());
    changes_.pop_front();
    changing_ = true;
    begin_change(change);
  }
}

void ControlPlane::begin_change(const Change& change) {
  admin::ReloadReport report = unchanged();
  std::shared_ptr<const gateway::Config> config;
  if (change.kind != Change::Kind::rollback) {
    config = read_config(change.kind == Change::Kind::dry_run, report);
  } else if (config = before_; config == nullptr) {
    report.errors.push_back("there is no earlier configuration to go back to");
  }
  if (config == nullptr) return end_change(change, report);
  if (change.kind != Change::Kind::dry_run) notify_supervisor("RELOADING=1");
  // Compiling its rules is what takes long; those in force go on meanwhile, and so do we.
  parts_.rules.prepare(config, *loop_, [this, change, config] {
    end_change(change, change.kind == Change::Kind::dry_run ? try_out_and_tell(config) : apply(config));
    begin_next_change();
  });
}

void ControlPlane::end_change(const Change& change, const admin::ReloadReport& report) {
  parts_.rules.release();
  changing_ = false;
  if (parts_.audit != nullptr && !change.done) {  // by a signal: who asks by the admin API is recorded there
    parts_.audit->tell_own("config.reload", {{"applied", report.applied ? "yes" : "no"}});
  }
  if (change.done) change.done(report);
}

// Null: what is wrong with it is in the report.
std::shared_ptr<const gateway::Config> ControlPlane::read_config(bool dry_run, admin::ReloadReport& report) {
  LoadOutcome outcome = load_config(config_file_);
  for (const Diagnostic& diagnostic : outcome.diagnostics) {
    if (diagnostic.severity != Severity::error) continue;
    report.errors.push_back(line_of(diagnostic));
  }
  if (outcome.ok()) return outcome.config;
  if (report.errors.empty()) report.errors.push_back(config_file_ + ": invalid");
  if (dry_run) return nullptr;
  last_reload_ = {parts_.clock.wall(), false, report.errors.front()};
  parts_.metrics.count(telemetry::Metric::config_reloads, {"refused"});
  GH_LOG(error, "reload refused", {"errors", report.errors.size()}, {"first", report.errors.front()});
  return nullptr;
}

admin::ReloadReport ControlPlane::try_out_and_tell(std::shared_ptr<const gateway::Config> config) {
  admin::ReloadReport report = unchanged();
  report.changes = config_difference(*parts_.gateway.snapshot()->config, *config);
  report.needs_restart = keys_needing_restart(*started_with_, *config);
  if (auto tried = try_out(config); !tried) {
    add_errors(tried.error().message, report);
    add_remedies(*config, report);
  }
  return report;
}

Result<ControlPlane::Prepared> ControlPlane::prepare(const gateway::Config& config) {
  Prepared prepared;
  if (!config.data_dir.empty()) {
    if (auto made = make_private_folder(config.data_dir); !made)
      return tl::unexpected(std::move(made.error()).while_("data_dir"));
  }
  auto access_log = parts_.access_log.prepare(config.telemetry.access_log);
  if (!access_log) return tl::unexpected(access_log.error());
  prepared.access_log = std::move(*access_log);
  prepared.metrics_change = config.telemetry.metrics != parts_.gateway.snapshot()->config->telemetry.metrics;
  if (prepared.metrics_change) {
    auto metrics = open_metrics(config);
    if (!metrics) return tl::unexpected(metrics.error());
    prepared.metrics = std::move(*metrics);
  }
  return prepared;
}

Status ControlPlane::try_out(std::shared_ptr<const gateway::Config> config) {
  if (auto possible = parts_.access_log.try_out(config->telemetry.access_log); !possible) return possible;
  if (config->telemetry.metrics != parts_.gateway.snapshot()->config->telemetry.metrics) {
    if (auto possible = open_metrics(*config); !possible) return tl::unexpected(possible.error());
  }
  return parts_.gateway.try_out(std::move(config));
}

void ControlPlane::tell_login(const gateway::Config& config) {
  if (parts_.login == nullptr) return;
  if (auto told = parts_.login->in_force(config); !told)
    GH_LOG(error, "people cannot sign in at new hosts: reload again", {"why", told.error().message});
}

admin::ReloadReport ControlPlane::apply(std::shared_ptr<const gateway::Config> config) {
  admin::ReloadReport report = unchanged();
  const auto current = parts_.gateway.snapshot();
  report.changes = config_difference(*current->config, *config);
  report.needs_restart = keys_needing_restart(*started_with_, *config);
  const auto wanted = config;
  auto prepared = prepare(*config);
  auto stamps = CertificateWatch::look(*config, current->certificates);
  const Status reloaded = prepared ? parts_.gateway.reload(std::move(config)) : tl::unexpected(prepared.error());
  if (reloaded) {
    // Files that were merely read again are no earlier configuration to go back to.
    if (!report.changes.empty()) before_ = current->config;
    report.applied = true;
    if (admin_api_) admin_api_->use_token(wanted->admin.token);
    if (prepared->access_log) parts_.access_log.replace(std::move(prepared->access_log), parts_.gateway, *loop_);
    if (prepared->metrics_change) metrics_listener_ = std::move(prepared->metrics);
    watch_upstreams();
    tell_login(*wanted);
    note_certificates(std::move(stamps));
    needs_restart_ = report.needs_restart;
    parts_.metrics.count(telemetry::Metric::config_reloads, {"applied"});
    GH_LOG(info, "configuration reloaded", {"generation", parts_.gateway.snapshot()->generation},
           {"changes", report.changes.size()});
    for (const std::string& key : needs_restart_) GH_LOG(warn, "a changed key needs a restart", {"key", key});
  } else {
    add_errors(reloaded.error().message, report);
    add_remedies(*wanted, report);
    parts_.metrics.count(telemetry::Metric::config_reloads, {"refused"});
    GH_LOG(error, "reload refused", {"why", reloaded.error().message});
  }
  report.generation = parts_.gateway.snapshot()->generation;
  last_reload_ = {parts_.clock.wall(), report.applied, report.errors.empty() ? std::string() : report.errors.front()};
  notify_supervisor("READY=1");
  return report;
}

}  // namespace gatehouse::app
