#pragma once
// The log as the program has it: anybody puts entries in, one thread makes them durable in groups and publishes.
//
// Whoever has to know waits, or gives a callback: it is called once the entry is durable, or why it is not. Whoever
// only tells (denials, events) does not wait; what could not be taken or written is counted, and the count becomes an
// entry itself when the log takes one again.
// Thread safety: everything may be called from any thread; callbacks come from the log's own and must not block.
// Invariants: (1) the queue is bounded; what only tells may fill half of it, so that acts that must be recorded still
// find room in a flood. (2) A log that cannot be written is tried again every second; the program goes on.

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "audit/entry.h"
#include "audit/log_writer.h"
#include "base/clock.h"

namespace gatehouse::audit {

class AuditLog {
 public:
  static constexpr std::size_t kQueueMax = 65536, kQueueBytesMax = 48 * 1024 * 1024;
  static constexpr std::size_t kUnpublishedBytesMax = 64 * 1024 * 1024;
  static constexpr Duration kRetry = std::chrono::seconds(1);

  using Done = std::function<void(const Status&)>;
  using Published = std::function<void(const std::string& note)>;  // called from the log's thread
  struct Options {
    LogWriter::Options log;
    Duration checkpoint_interval = std::chrono::seconds(10);
    Published published = {};
  };

  // denied: the log there has been changed, or is not the one whose checkpoints are kept elsewhere: do not start. Any
  // other trouble is tried again later. What is put in before `start` waits.
  static Result<std::unique_ptr<AuditLog>> open(Files& files, Options options, const NoteSigner& signer,
                                                SecretBytes personal_key, const Clock& clock);
  ~AuditLog();  // as stop
  void start();
  void stop();  // writes and publishes what is there; afterwards nothing is taken

  // unavailable: there is no room, or the log cannot be written. `done` is not called then.
  Status append(Entry entry, Done done);
  Status append_and_wait(Entry entry);
  void tell(Entry entry);  // never waits
  void count_dropped(std::uint64_t entries) noexcept { dropped_.fetch_add(entries, std::memory_order_relaxed); }
  Status erase_personal(std::uint64_t index);

  struct State {
    std::uint64_t size = 0;                             // entries in the log
    std::array<std::uint64_t, kEntryKinds> recorded{};  // of them by this process
    std::uint64_t dropped = 0;                          // entries that it could not take or write
    std::uint64_t failures = 0;                         // times that it could not be written
    std::string trouble;                                // now; empty: none
  };
  State state() const;
  std::string vkey() const { return vkey_; }

 private:
  struct Queued {
    Entry entry;
    Done done;
    std::size_t bytes;
  };
  AuditLog(Files& files, Options options, const NoteSigner& signer, SecretBytes personal_key, const Clock& clock);
  Status open_writer();
  bool enqueue(Queued queued, std::size_t share);
  void run();
  void write(std::vector<Queued>& batch);
  void publish_if_due(bool now);
  bool tell_of_dropped();
  void set_trouble(const Error& error);
  void set_well();

  Files& files_;
  const Options options_;
  const SecretBytes key_, personal_key_;
  const std::string vkey_;
  const Clock& clock_;

  std::mutex writer_mutex_;  // over writer_: its own thread, and who erases
  std::unique_ptr<LogWriter> writer_;
  MonotonicTime published_at_{};

  mutable std::mutex mutex_;  // over what follows
  std::condition_variable changed_;
  std::vector<Queued> queue_;
  std::size_t queue_bytes_ = 0;
  std::string trouble_;
  bool stopping_ = false;

  std::atomic<std::uint64_t> size_{0}, dropped_{0}, failures_{0};
  std::array<std::atomic<std::uint64_t>, kEntryKinds> recorded_{};
  std::uint64_t dropped_told_ = 0;
  std::thread thread_;
};

}  // namespace gatehouse::audit
