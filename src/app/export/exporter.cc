#include "app/export/exporter.h"

#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using Steady = std::chrono::steady_clock;
using telemetry::Metric;

std::string_view reason_of(const Error& error) noexcept {
  return error.code == ErrorCode::timeout ? "timeout" : error.code == ErrorCode::invalid ? "refused" : "unavailable";
}

}  // namespace

Result<std::unique_ptr<Exporter>> Exporter::create(const gateway::ExportConfig& config, std::string name,
                                                   const std::string& folder, telemetry::Metrics& metrics,
                                                   const Clock& clock) {
  auto target = parse_export_target(config.to);
  if (!target) return tl::unexpected(std::move(target.error()));
  auto format = export_format_of(*target, config.format);
  if (!format) return tl::unexpected(std::move(format.error()));
  std::string own_folder;
  if (!folder.empty()) {
    own_folder = folder + "/" + name;
    std::error_code error;
    std::filesystem::create_directories(own_folder, error);
    if (error) return fail(ErrorCode::io, fmt::format("{}: {}", own_folder, error.message()));
    ::chmod(own_folder.c_str(), 0700);
  }
  return std::unique_ptr<Exporter>(
      new Exporter(config, std::move(*target), *format, std::move(name), own_folder, metrics, clock));
}

Exporter::Exporter(const gateway::ExportConfig& config, ExportTarget target, telemetry::AccessLogFormat format,
                   std::string name, const std::string& folder, telemetry::Metrics& metrics, const Clock& clock)
    : config_(config),
      target_(std::move(target)),
      name_(std::move(name)),
      metrics_(metrics),
      clock_(clock),
      format_(target_, format, config, clock.wall()),
      queue_(folder, config.spool_bytes),
      sender_(make_export_sender(target_, config, [this] { return out_of_time(); })),
      traces_(config.traces && target_.takes(ExportSignal::traces)),
      records_(config.records && target_.takes(ExportSignal::records)),
      metrics_wanted_(config.metrics && target_.takes(ExportSignal::metrics)) {}

Exporter::~Exporter() { stop(); }

void Exporter::start() {
  if (thread_.joinable()) return;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Exporter::end() {
  {
    const std::lock_guard lock(stop_mutex_);
    if (stopping_.load()) return;
    last_words_until_ = Steady::now() + kLastWords;
    stopping_.store(true);
  }
  stopped_.notify_all();
  queue_.wake();
}

void Exporter::stop() {
  if (!thread_.joinable()) return;
  end();
  thread_.join();
  if (const std::uint64_t lost = queue_.put_away(); lost != 0) drop(lost, "stopped");
}

bool Exporter::wants(const telemetry::PackedKey& key) noexcept {
  if (!traces_ && !records_) return false;
  return telemetry::is_remarkable(key) || telemetry::is_sampled(key, config_.sample_per_million);
}

void Exporter::take(const telemetry::DecisionRecord& record) {
  if (records_) add(ExportSignal::records, record);
  if (traces_) add(ExportSignal::traces, record);
}

void Exporter::missed(std::uint64_t records) {
  if (records_ || traces_)
    metrics_.count(Metric::export_dropped, {name_, "missed"}, static_cast<std::int64_t>(records));
}

void Exporter::add(ExportSignal signal, const telemetry::DecisionRecord& record) {
  const std::lock_guard lock(mutex_);
  Open& open = open_[static_cast<std::size_t>(signal)];
  if (open.batch.count == 0) {
    open.batch.signal = signal;
    open.since = Steady::now();
    format_.begin(signal, open.batch.body);
  }
  format_.add(signal, record, open.batch.count == 0, open.batch.body);
  ++open.batch.count;
  if (open.batch.body.size() >= kBatchBytes) seal(signal);
}

void Exporter::seal(ExportSignal signal) {
  Open& open = open_[static_cast<std::size_t>(signal)];
  if (open.batch.count == 0) return;
  format_.end(signal, open.batch.body);
  push(std::exchange(open.batch, {}));
}

void Exporter::seal_what_lingers(bool all) {
  const std::lock_guard lock(mutex_);
  const auto now = Steady::now();
  for (const ExportSignal signal : {ExportSignal::records, ExportSignal::traces}) {
    if (all || now - open_[static_cast<std::size_t>(signal)].since >= kLinger) seal(signal);
  }
}

void Exporter::push(ExportBatch batch) {
  const std::uint32_t count = batch.count;
  if (!queue_.push(std::move(batch))) drop(count, "full");
}

void Exporter::drop(std::uint64_t count, std::string_view reason) {
  metrics_.count(Metric::export_dropped, {name_, reason}, static_cast<std::int64_t>(count));
  GH_LOG(warn, "telemetry dropped", {"exporter", name_}, {"reason", reason}, {"dropped", count});
}

void Exporter::run() {
  pthread_setname_np(pthread_self(), "export");
  for (;;) {
    const bool stopping = stopping_.load();
    seal_what_lingers(stopping);
    const ExportBatch* batch = queue_.front(stopping ? Steady::now() : Steady::now() + kLinger);
    if (batch != nullptr) {
      deliver(*batch);
    } else if (stopping) {
      return;
    }
    if (out_of_time()) return;
  }
}

bool Exporter::out_of_time() const noexcept { return stopping_.load() && Steady::now() >= last_words_until_; }

void Exporter::tell_metrics(bool now) {
  if (!metrics_wanted_ || (!now && Steady::now() < metrics_due_)) return;
  metrics_due_ = Steady::now() + std::chrono::duration_cast<Steady::duration>(config_.interval);
  ExportBatch batch = format_.metrics(metrics_, clock_.wall());
  if (batch.count != 0) push(std::move(batch));
}

void Exporter::deliver(const ExportBatch& batch) {
  const Result<std::uint32_t> sent = sender_->send(batch);
  if (sent) {
    const std::uint32_t refused = std::min(*sent, batch.count);
    metrics_.count(Metric::export_sent, {name_, name_of(batch.signal)}, batch.count - refused);
    if (refused != 0) drop(refused, "refused");
    queue_.pop();
    if (away_) GH_LOG(info, "telemetry is taken again", {"exporter", name_}, {"waiting_bytes", queue_.waiting_bytes()});
    away_ = false;
    pause_ = kPauseFirst;
    return;
  }
  metrics_.count(Metric::export_failures, {name_, reason_of(sent.error())});
  if (sent.error().retry == Retry::no) {
    GH_LOG(error, "telemetry refused", {"exporter", name_}, {"error", sent.error().message});
    drop(batch.count, "refused");
    queue_.pop();
    return;
  }
  if (!away_) GH_LOG(warn, "telemetry waits", {"exporter", name_}, {"error", sent.error().message});
  away_ = true;
  pause(pause_);
  pause_ = std::min(pause_ * 2, std::chrono::milliseconds(kPauseMax));
}

// While it waits, `take` and `tell_metrics` fill the queue.
void Exporter::pause(std::chrono::milliseconds duration) {
  std::unique_lock lock(stop_mutex_);
  if (stopping_.load()) {
    stopped_.wait_for(lock, std::min(duration, std::chrono::milliseconds(200)), [] { return false; });
  } else {
    stopped_.wait_for(lock, duration, [&] { return stopping_.load(); });
  }
}

}  // namespace gatehouse::app
