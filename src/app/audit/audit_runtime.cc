#include "app/audit/audit_runtime.h"

#include "admin/identity/identity_api.h"
#include "admin/service_sink.h"
#include "app/audit/audit_keys.h"
#include "base/file.h"
#include "codec/json.h"
#include "identity/audit.h"
#include "telemetry/log.h"
#include "telemetry/metric_names.h"

namespace gatehouse::app {
namespace {

using audit::Entry;

Entry::Kind kind_of(std::string_view action) noexcept {
  if (action.find("key") != std::string_view::npos) return Entry::Kind::key;
  for (const std::string_view begin : {"login.", "session.", "factor.", "token.", "password."}) {
    if (action.starts_with(begin)) return Entry::Kind::authentication;
  }
  return Entry::Kind::event;
}

// Checkpoints in files are what a start is held against.
Result<std::vector<audit::SeenCheckpoint>> seen_at(const std::vector<CheckpointTarget>& targets) {
  std::vector<audit::SeenCheckpoint> seen;
  for (const CheckpointTarget& target : targets) {
    if (target.kind != CheckpointTarget::Kind::file) continue;
    auto note = read_file(target.where, audit::kNoteBytesMax);
    if (!note && note.error().code == ErrorCode::not_found) continue;
    if (!note) return tl::unexpected(std::move(note.error()).while_("audit.checkpoints"));
    seen.push_back({target.where, std::move(*note)});
  }
  return seen;
}

}  // namespace

Result<std::unique_ptr<AuditRuntime>> AuditRuntime::open(const gateway::Config& config, telemetry::Metrics& metrics,
                                                         const Clock& clock) {
  if (!config.audit.enabled || config.data_dir.empty()) return std::unique_ptr<AuditRuntime>();
  std::unique_ptr<AuditRuntime> runtime(new AuditRuntime(config.data_dir + "/audit", clock));
  if (Status made = make_private_folder(runtime->folder_); !made) return tl::unexpected(std::move(made.error()));
  std::vector<CheckpointTarget> targets;
  for (const std::string& text : config.audit.checkpoints) {
    auto target = parse_checkpoint_target(text);
    if (!target) return tl::unexpected(std::move(target.error()));
    targets.push_back(std::move(*target));
  }
  auto seen = seen_at(targets);
  if (!seen) return tl::unexpected(std::move(seen.error()));
  auto keys = open_audit_keys(config.data_dir, runtime->folder_);
  if (!keys) return tl::unexpected(std::move(keys.error()));
  runtime->sender_ = std::make_unique<CheckpointSender>(runtime->folder_, std::move(targets), clock);
  auto log = audit::AuditLog::open(
      audit::system_files(),
      {.log = {runtime->folder_, std::move(*seen)},
       .checkpoint_interval = config.audit.checkpoint_interval,
       .published = [sender = runtime->sender_.get()](const std::string& note) { sender->send(note); }},
      keys->signer, std::move(keys->personal), clock);
  if (!log) return tl::unexpected(std::move(log.error()));
  runtime->log_ = std::move(*log);
  if (config.audit.denials)
    runtime->denials_ =
        std::make_unique<DenialSink>([log = runtime->log_.get()](Entry entry) { log->tell(std::move(entry)); }, clock);
  metrics.add_collector([raw = runtime.get()](telemetry::MetricSamples& samples) { raw->collect(samples); });
  return runtime;
}

AuditRuntime::~AuditRuntime() { stop(); }

void AuditRuntime::start() {
  sender_->start();
  log_->start();
  tell_own("gateway.start", {{"version", GATEHOUSE_VERSION}});
}

void AuditRuntime::stop() {
  if (denials_) denials_->finish();
  if (log_) log_->stop();
  if (sender_) sender_->stop();
}

void AuditRuntime::put(Entry entry) {
  if (listener_) listener_(entry);
  log_->tell(std::move(entry));
}

void AuditRuntime::tell(const identity::AuditEvent& event) {
  Entry entry;
  entry.kind = kind_of(event.action);
  entry.time = clock_.wall();
  entry.actor = event.actor;
  entry.action = event.action;
  entry.target = event.target;
  entry.outcome = event.outcome == identity::Outcome::ok ? "ok" : "refused";
  entry.request_id = event.request_id;
  entry.personal = event.details;  // they may hold addresses and names
  put(std::move(entry));
}

Entry AuditRuntime::act_of(const admin::Call& call) const {
  Entry entry;
  entry.kind = call.path.find("keys") != std::string::npos ? Entry::Kind::key
               : call.path.starts_with("/v1/session")      ? Entry::Kind::authentication
                                                           : Entry::Kind::administration;
  entry.time = clock_.wall();
  entry.actor = admin::actor_of(call);
  entry.action = "admin." + call.method;
  // The first two pieces name what it is about; what follows may be somebody's name or address.
  std::size_t end = call.path.find('/', 1);
  if (end != std::string::npos) end = call.path.find('/', end + 1);
  entry.target = call.path.substr(0, end);
  if (end != std::string::npos) entry.personal.emplace_back("path", call.path);
  if (entry.target != "/v1/bans") return entry;
  // A ban's body holds no secret; others may.
  const auto body = codec::Json::parse(call.body);
  for (const std::string_view name : {"network", "address", "reason"}) {
    if (const auto value = body ? body->find_string(name) : std::nullopt) entry.personal.emplace_back(name, *value);
  }
  if (const auto duration = body ? body->find_string("duration") : std::nullopt) {
    entry.details.emplace_back("duration", *duration);
  }
  return entry;
}

void AuditRuntime::before_act(const admin::Call& call, std::function<void(const Status&)> go) {
  Entry entry = act_of(call);
  entry.outcome = "asked";
  if (Status taken = log_->append(std::move(entry), go); !taken) go(taken);
}

void AuditRuntime::after_act(const admin::Call& call, int status) {
  Entry entry = act_of(call);
  entry.outcome = status < 400 ? "ok" : "refused";
  entry.details.emplace_back("status", std::to_string(status));
  put(std::move(entry));
}

void AuditRuntime::tell_own(std::string_view action, audit::NamedValues details) {
  Entry entry;
  entry.kind = Entry::Kind::administration;
  entry.time = clock_.wall();
  entry.actor = "system";
  entry.action = action;
  entry.details = std::move(details);
  put(std::move(entry));
}

void AuditRuntime::collect(telemetry::MetricSamples& samples) const {
  using telemetry::Metric;
  const audit::AuditLog::State state = log_->state();
  for (std::size_t i = 0; i < audit::kEntryKinds; ++i) {
    const std::string_view kind = name_of(static_cast<Entry::Kind>(i));
    samples.add(Metric::audit_entries, {kind}, static_cast<double>(state.recorded[i]));
  }
  samples.add(Metric::audit_lost, {"full"}, static_cast<double>(state.dropped));
  samples.add(Metric::audit_failures, {"write"}, static_cast<double>(state.failures));
}

}  // namespace gatehouse::app
