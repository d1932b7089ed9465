#pragma once
// What becomes an event: decision records, all that are remarkable and a sample of the others; and acts, as the audit
// log has them, with the values that it holds commitments of only.
//
// Thread safety: the recorder is the record follower's thread's; acts from any thread.

#include <string>

#include "audit/entry.h"
#include "events/event_store.h"
#include "telemetry/record_follower.h"

namespace gatehouse::app {

class EventRecorder final : public telemetry::RecordSink {
 public:
  EventRecorder(events::EventStore& events, std::uint32_t sample_per_million) noexcept
      : events_(events), sample_per_million_(sample_per_million) {}

  bool wants(const telemetry::PackedKey& key) noexcept override {
    return telemetry::is_remarkable(key) || telemetry::is_sampled(key, sample_per_million_);
  }
  void take(const telemetry::DecisionRecord& record) override;

 private:
  events::EventStore& events_;
  const std::uint32_t sample_per_million_;
  std::string line_;
};

void record_act(events::EventStore& events, const audit::Entry& act);

}  // namespace gatehouse::app
