#include "app/control/shared_counters.h"

#include "store/redis_location.h"

namespace gatehouse::app {

using gateway::CounterSharing;
using gateway::Notice;

Result<std::unique_ptr<SharedCounters>> SharedCounters::make(const gateway::Config& config, gateway::SharedState& state,
                                                             const Clock& clock) {
  if (config.counters == "memory") return std::unique_ptr<SharedCounters>();
  auto location = store::read_redis_location(config.counters);
  if (!location) return tl::unexpected(location.error());
  gateway::SharingOptions options;
  options.redis.location = std::move(*location);
  options.redis.password = config.counters_password;
  options.deployment = config.trust_domain;
  auto sharing = CounterSharing::create(std::move(options), state, clock);
  if (!sharing) return tl::unexpected(sharing.error());
  return std::unique_ptr<SharedCounters>(new SharedCounters(std::move(*sharing)));
}

void SharedCounters::hear(identity::Throttle& throttle) {
  sharing_->on_login_notice([&throttle](const Notice& notice) {
    if (notice.kind == Notice::Kind::login_failures) {
      throttle.failed_elsewhere(notice.name, notice.count);
    } else {
      throttle.forgotten_elsewhere(notice.name);
    }
  });
}

void SharedCounters::failed(std::string_view name) { tell(Notice::Kind::login_failures, name); }
void SharedCounters::forgotten(std::string_view name) { tell(Notice::Kind::login_forgotten, name); }

void SharedCounters::tell(Notice::Kind kind, std::string_view name) {
  Notice notice;
  notice.kind = kind;
  notice.name = name;
  sharing_->tell(std::move(notice));
}

void SharedCounters::collect(telemetry::MetricSamples& samples) const {
  using telemetry::Metric;
  const CounterSharing::Status status = sharing_->status();
  samples.add(Metric::state_counters_up, {}, status.up ? 1 : 0);
  for (std::size_t i = 0; i < status.failures.size(); ++i) {
    samples.add(Metric::state_counters_failures, {CounterSharing::name_of(static_cast<CounterSharing::Failure>(i))},
                static_cast<double>(status.failures[i]));
  }
  samples.add(Metric::state_counters_told, {"rates"}, static_cast<double>(status.rates_told));
  samples.add(Metric::state_counters_told, {"notices"}, static_cast<double>(status.notices_told));
  samples.add(Metric::state_counters_heard, {}, static_cast<double>(status.notices_heard));
  samples.add(Metric::state_counters_left_out, {}, static_cast<double>(status.left_out));
}

}  // namespace gatehouse::app
