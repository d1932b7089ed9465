#pragma once
// `state: { counters: redis://… }`: what this process counts is shared with other gateways. Puts together what the
// gateway shares by itself (gateway/sharing) and what the identity provider's throttle has to say.
//
// Thread safety: `make`, `start` and `stop` belong to the main thread; the rest may be called by any.

#include <memory>

#include "gateway/config.h"
#include "gateway/shared_state.h"
#include "gateway/sharing/counter_sharing.h"
#include "identity/users/throttle.h"
#include "telemetry/metrics.h"

namespace gatehouse::app {

class SharedCounters final : public identity::FailureNews {
 public:
  // Null where counters are kept in memory. Before privileges are dropped: it reads the authorities' file.
  static Result<std::unique_ptr<SharedCounters>> make(const gateway::Config& config, gateway::SharedState& state,
                                                      const Clock& clock);

  // Who hears of login failures elsewhere; before `start`, and as long as this runs.
  void hear(identity::Throttle& throttle);
  void failed(std::string_view name) override;
  void forgotten(std::string_view name) override;

  void start() { sharing_->start(); }
  void stop() { sharing_->stop(); }
  void collect(telemetry::MetricSamples& samples) const;

 private:
  explicit SharedCounters(std::unique_ptr<gateway::CounterSharing> sharing) : sharing_(std::move(sharing)) {}
  void tell(gateway::Notice::Kind kind, std::string_view name);

  std::unique_ptr<gateway::CounterSharing> sharing_;
};

}  // namespace gatehouse::app
