#include "app/observe/observers.h"

namespace gatehouse::app {
namespace {

constexpr std::size_t kSearchesAtOnce = 2, kSearchesWaiting = 16;

}  // namespace

bool keeps_events(const gateway::Config& config) {
  return config.telemetry.events.keep && config.admin.address.is_given() && !config.data_dir.empty();
}

Result<std::unique_ptr<Observers>> Observers::open(const gateway::Config& config, IdentityStore* store,
                                                   const telemetry::RecordStore& records, telemetry::Metrics& metrics,
                                                   const Clock& clock, std::vector<telemetry::RecordSink*> others) {
  std::unique_ptr<Observers> observers(new Observers());
  std::vector<telemetry::RecordSink*> sinks = std::move(others);
  if (keeps_events(config) && store != nullptr) {
    const gateway::EventsConfig& wanted = config.telemetry.events;
    if (config.store == "sqlite") {
      auto blocks = store::open_database({.location = "sqlite:" + config.data_dir + "/events.db"}, clock);
      if (!blocks) return tl::unexpected(std::move(blocks.error()).while_("telemetry.events"));
      observers->blocks_ = std::move(*blocks);
    }
    auto events =
        events::EventStore::open(store->database(), observers->blocks_ ? *observers->blocks_ : store->database(),
                                 store->keyring(), {.age_max = wanted.age_max, .bytes_max = wanted.bytes_max}, clock);
    if (!events) return tl::unexpected(std::move(events.error()).while_("telemetry.events"));
    observers->events_ = std::move(*events);
    observers->recorder_ = std::make_unique<EventRecorder>(*observers->events_, wanted.sample_per_million);
    sinks.push_back(observers->recorder_.get());
  }
  auto exporters = Exporters::open(config.telemetry.exports, config.data_dir, metrics, clock);
  if (!exporters) return tl::unexpected(std::move(exporters.error()));
  observers->exporters_ = std::move(*exporters);
  observers->exporters_->add_to(sinks);
  sinks.push_back(&observers->exemplars_);
  metrics.set_exemplars(&observers->exemplars_);
  observers->searches_ = std::make_unique<net::WorkerPool>("searches", kSearchesAtOnce, kSearchesWaiting);
  observers->follower_ = std::make_unique<telemetry::RecordFollower>(records, std::move(sinks));
  metrics.add_collector([raw = observers.get()](telemetry::MetricSamples& samples) { raw->collect(samples); });
  return observers;
}

Observers::~Observers() { stop(); }

void Observers::start() {
  if (events_) events_->start();
  exporters_->start();
  follower_->start();
}

void Observers::stop() {
  // Where opening failed half-way, some are not there.
  if (searches_) searches_->stop();
  if (follower_) follower_->stop();
  if (exporters_) exporters_->stop();
  if (events_) events_->stop();
}

void Observers::tick() { exporters_->tick(); }

void Observers::collect(telemetry::MetricSamples& samples) const {
  using telemetry::Metric;
  samples.add(Metric::records_missed, {}, static_cast<double>(follower_->missed()));
  exporters_->collect(samples);
  if (!events_) return;
  const events::EventCounters counters = events_->counters();
  samples.add(Metric::events_kept, {"request"}, static_cast<double>(counters.requests));
  samples.add(Metric::events_kept, {"act"}, static_cast<double>(counters.acts));
  samples.add(Metric::events_dropped, {"full"}, static_cast<double>(counters.dropped_full));
  samples.add(Metric::events_dropped, {"too_long"}, static_cast<double>(counters.dropped_long));
  samples.add(Metric::events_bytes, {}, static_cast<double>(counters.bytes));
}

}  // namespace gatehouse::app
