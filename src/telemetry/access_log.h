#pragma once
// The access log: shards queue rendered lines, one thread writes them.
//
// Thread safety: `write(shard, …)` by that shard's thread alone: it copies the line and never waits. `reopen` from
// anywhere, signal handlers included. `flush`, the destructor: by the control plane. Counters: by anybody.
// Invariants: (1) Lines of a shard keep their order and are never torn: where a write was short, the rest goes first
// when writing works again. (2) At most `buffer_bytes` a shard are queued; what comes beyond that, because the disk is
// slow, full or gone, is dropped and counted, and the count is logged. (3) While there is something to write it is
// written at least every kLinger, and an idle log costs no wake-ups. The writer thread blocks all signals. It opens
// files, connects and resolves names: a sandbox has to allow that.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "telemetry/line_ring.h"
#include "telemetry/log_destination.h"

namespace gatehouse::telemetry {

enum class AccessLogFormat : std::uint8_t {
  json,
  common,
  ecs,
  ocsf,
  cef
};  // as append_record (record_formats.h) writes
// "json", "common", "ecs", "ocsf" or "cef"; the error lists them.
Result<AccessLogFormat> parse_access_log_format(std::string_view name);

struct AccessLogOptions {
  std::string to = "stdout";  // see parse_log_target
  AccessLogFormat format = AccessLogFormat::json;
  std::size_t shards = 1;
  std::size_t buffer_bytes = 2 * 1024 * 1024;  // per shard
  bool held = false;                           // gather lines, and write none before `begin`
};

struct AccessLogCounters {
  std::uint64_t bytes_written = 0;
  std::uint64_t lines_dropped = 0;
  std::uint64_t write_failures = 0;
};

class AccessLog {
 public:
  static constexpr Duration kLinger = std::chrono::milliseconds(100);  // how long lines are gathered
  static constexpr Duration kRetry = std::chrono::seconds(1);          // after a failed write

  // Fails when a file cannot be opened, or `to` makes no sense. `to: off` gives a log that takes nothing.
  static Result<std::unique_ptr<AccessLog>> open(const AccessLogOptions& options,
                                                 const Clock& clock = SystemClock::instance());
  // Writes what is queued, if that works at once.
  ~AccessLog();
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // Ends holding back: for a log whose predecessor had to finish with the same file or pipe first.
  void begin() noexcept;
  bool enabled() const noexcept { return destination_ != nullptr; }
  const std::string& to() const noexcept { return to_; }
  AccessLogFormat format() const noexcept { return format_; }

  void write(std::size_t shard, std::string_view line) noexcept;
  void reopen() noexcept;  // the file was renamed: open its name again
  // Returns when what was queued before the call has been written, or writing failed.
  void flush();
  AccessLogCounters counters() const noexcept;

 private:
  AccessLog(AccessLogOptions options, std::unique_ptr<LogDestination> destination, int wake_fd, const Clock& clock);

  void run();
  bool drain();  // false: the destination failed
  void wait_until_begun();
  void wait_for_work();
  void wait(Duration at_most, bool urgent_counts);
  void wake() noexcept;
  void report();
  bool all_empty() const noexcept;
  std::uint64_t dropped() const noexcept;

  const AccessLogFormat format_;
  const std::string to_;
  const Clock& clock_;
  const std::unique_ptr<LogDestination> destination_;
  std::vector<std::unique_ptr<LineRing>> rings_;
  const int wake_fd_;

  std::atomic<bool> asleep_{false};  // the writer waits for the first line
  std::atomic<bool> urgent_{false};  // a ring is half full
  std::atomic<bool> reopen_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> held_;
  std::atomic<std::uint64_t> flushes_wanted_{0};
  std::atomic<std::uint64_t> bytes_written_{0};
  std::atomic<std::uint64_t> write_failures_{0};

  // The writer's own.
  std::size_t next_ring_ = 0;  // where writing goes on: after a short write, with the same ring
  bool failing_ = false;
  std::uint64_t dropped_reported_ = 0;
  std::optional<MonotonicTime> reported_at_;

  std::mutex flush_mutex_;
  std::condition_variable flushed_;
  std::uint64_t flushes_done_ = 0;
  std::thread thread_;
};

// Whether a log could be opened with these options, without making a file.
Status can_open_access_log(const AccessLogOptions& options);

}  // namespace gatehouse::telemetry
