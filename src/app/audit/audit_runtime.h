#pragma once
// The audit log in this process: its keys, what is put into it, and where its checkpoints go.
//
// Keys are files in data_dir, mode 0600: audit-signing.key (PKCS #8), audit-personal.key; audit.vkey is the public one,
// for whoever judges the log.
// Thread safety: everything but open, start and stop may be called from any thread. Lifetime: opened before whatever
// tells it something, and stopped after it.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/audit/checkpoint_sender.h"
#include "app/audit/denial_sink.h"
#include "audit/audit_log.h"
#include "gateway/config.h"
#include "telemetry/metrics.h"
#include "telemetry/record_follower.h"

namespace gatehouse::admin {
struct Call;
}
namespace gatehouse::identity {
struct AuditEvent;
}

namespace gatehouse::app {

class AuditRuntime {
 public:
  // Null: the configuration wants none, or there is no data_dir. An error is for whoever starts the program: the log
  // has been changed, or its keys are gone.
  static Result<std::unique_ptr<AuditRuntime>> open(const gateway::Config& config, telemetry::Metrics& metrics,
                                                    const Clock& clock);
  ~AuditRuntime();

  void start();  // after privileges are dropped
  void stop();

  audit::AuditLog& log() noexcept { return *log_; }
  telemetry::RecordSink* denials() noexcept { return denials_.get(); }  // null: not wanted

  // Who else is to hear of each act, by the thread that tells it; before `start`.
  void also_tell(std::function<void(const audit::Entry&)> listener) { listener_ = std::move(listener); }

  // What identity has told its own trail.
  void tell(const identity::AuditEvent& event);
  // A call of the admin API that changes something: what is asked for is durable before `go` is called, from another
  // thread; with an error it must not be done.
  void before_act(const admin::Call& call, std::function<void(const Status&)> go);
  void after_act(const admin::Call& call, int status);
  // Something that nobody can be refused: a signal, the program's own start.
  void tell_own(std::string_view action, audit::NamedValues details = {});

 private:
  AuditRuntime(std::string folder, const Clock& clock) : folder_(std::move(folder)), clock_(clock) {}
  audit::Entry act_of(const admin::Call& call) const;
  void put(audit::Entry entry);
  void collect(telemetry::MetricSamples& samples) const;

  const std::string folder_;
  const Clock& clock_;
  std::function<void(const audit::Entry&)> listener_;
  std::unique_ptr<CheckpointSender> sender_;
  std::unique_ptr<audit::AuditLog> log_;
  std::unique_ptr<DenialSink> denials_;
};

}  // namespace gatehouse::app
