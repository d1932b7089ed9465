#pragma once
// One receiver of metrics, traces and records: gathers batches, keeps them while it is away, and brings them there.
//
// Nobody waits for a receiver: what comes is appended to a batch under a lock that is held for that, or to the queue
// (export_queue.h). What finds no room is dropped, counted in gatehouse_export_dropped_total, and told in the log.
//
// Thread safety: `wants`, `take` and `flush` by the record follower's thread; `start` and `stop` by the main one;
// `waiting_bytes` by anybody; `tell_metrics` by the thread that collects metrics, which is the control plane's. What
// takes time is done by a thread of its own.

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>

#include "app/export/export_format.h"
#include "app/export/export_sender.h"
#include "telemetry/record_follower.h"

namespace gatehouse::app {

class Exporter final : public telemetry::RecordSink {
 public:
  static constexpr std::size_t kBatchBytes = 256 * 1024;
  static constexpr std::chrono::milliseconds kLinger{500};  // how long a batch is gathered
  static constexpr std::chrono::milliseconds kPauseFirst{500}, kPauseMax{30'000};
  static constexpr std::chrono::milliseconds kLastWords{3000};  // for what is left when the process ends

  // `folder`: of all spools, made if it is not there; empty: none. `name`: of metrics' labels and in the folder.
  // `config` and `metrics` outlive it.
  static Result<std::unique_ptr<Exporter>> create(const gateway::ExportConfig& config, std::string name,
                                                  const std::string& folder, telemetry::Metrics& metrics,
                                                  const Clock& clock);
  ~Exporter() override;

  bool wants(const telemetry::PackedKey& key) noexcept override;
  void take(const telemetry::DecisionRecord& record) override;
  void missed(std::uint64_t records) override;

  // Queues all metrics as they are, if they are wanted and it is time, or `now`.
  void tell_metrics(bool now = false);

  void start();
  void end();  // says that it is to end
  // Sends what is left, for kLastWords after `end`; what is left then goes to files.
  void stop();

  const std::string& name() const noexcept { return name_; }
  std::uint64_t waiting_bytes() const { return queue_.waiting_bytes(); }

 private:
  // What is being gathered.
  struct Open {
    ExportBatch batch;
    std::chrono::steady_clock::time_point since{};
  };
  Exporter(const gateway::ExportConfig& config, ExportTarget target, telemetry::AccessLogFormat format,
           std::string name, const std::string& folder, telemetry::Metrics& metrics, const Clock& clock);

  void add(ExportSignal signal, const telemetry::DecisionRecord& record);
  void seal(ExportSignal signal);  // under mutex_
  void seal_what_lingers(bool all);
  void push(ExportBatch batch);
  void drop(std::uint64_t count, std::string_view reason);
  void run();
  void deliver(const ExportBatch& batch);
  void pause(std::chrono::milliseconds duration);  // shorter when the process ends
  bool out_of_time() const noexcept;

  const gateway::ExportConfig& config_;
  const ExportTarget target_;
  const std::string name_;
  telemetry::Metrics& metrics_;
  const Clock& clock_;
  ExportFormat format_;
  ExportQueue queue_;
  const std::unique_ptr<ExportSender> sender_;
  const bool traces_, records_, metrics_wanted_;

  std::mutex mutex_;
  Open open_[2];  // records, traces

  std::chrono::steady_clock::time_point metrics_due_{};  // of `tell_metrics`

  // The thread's own.
  std::chrono::milliseconds pause_ = kPauseFirst;
  bool away_ = false;

  std::mutex stop_mutex_;
  std::condition_variable stopped_;
  std::atomic<bool> stopping_{false};
  std::chrono::steady_clock::time_point last_words_until_{};
  std::thread thread_;
};

}  // namespace gatehouse::app
