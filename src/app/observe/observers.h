#pragma once
// What watches the gateway from beside its shards: follows the decision records and hands them to whoever keeps them.
//
// Thread safety: the main thread, except where a member says more. Lifetime: opened before privileges are dropped,
// `stop`ped after the shards have ended, so that their last records are kept, too.

#include <memory>
#include <vector>

#include "app/export/exporters.h"
#include "app/identity/identity_store.h"
#include "app/observe/event_recorder.h"
#include "events/event_store.h"
#include "gateway/config.h"
#include "net/worker_pool.h"
#include "telemetry/exemplars.h"
#include "telemetry/metrics.h"
#include "telemetry/record_follower.h"

namespace gatehouse::app {

// Does this configuration keep events? Where there is an admin API to ask for them, and a folder.
bool keeps_events(const gateway::Config& config);

class Observers {
 public:
  // `store`: of which events need the keyring; may be null where none are kept. `others` follow the records, too. All
  // of them outlive it.
  static Result<std::unique_ptr<Observers>> open(const gateway::Config& config, IdentityStore* store,
                                                 const telemetry::RecordStore& records, telemetry::Metrics& metrics,
                                                 const Clock& clock, std::vector<telemetry::RecordSink*> others);
  ~Observers();

  void start();
  void stop();
  // Once a second, by the control plane's thread, which collects metrics.
  void tick();

  events::EventStore* events() noexcept { return events_.get(); }  // null: none are kept
  net::WorkerPool& searches() noexcept { return *searches_; }      // where they are asked for; any thread

 private:
  Observers() = default;
  void collect(telemetry::MetricSamples& samples) const;

  std::unique_ptr<store::Database> blocks_;  // null: they are in the store
  std::unique_ptr<events::EventStore> events_;
  std::unique_ptr<EventRecorder> recorder_;
  std::unique_ptr<net::WorkerPool> searches_;
  std::unique_ptr<Exporters> exporters_;
  telemetry::RecordExemplars exemplars_;
  std::unique_ptr<telemetry::RecordFollower> follower_;
};

}  // namespace gatehouse::app
