#pragma once
// What waits for a receiver: batches in memory, and beyond that in files, so that a receiver can be away for a while
// and the process restart meanwhile. The order is kept.
//
// A file is one batch: `FOLDER/<number, 20 digits>.batch`, its first line "signal count bytes", then the bytes. It is
// written beside and renamed, so that a crash leaves none that is half; what does not fit its first line is dropped.
//
// Thread safety: `push` and the counters from anywhere, `front` and `pop` by one thread. Bounded: kMemoryBytesMax in
// memory, `spool_bytes` in files; a batch that fits neither is refused. Nobody waits but for a file's write.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>

#include "app/export/export_target.h"

namespace gatehouse::app {

struct ExportBatch {
  ExportSignal signal = ExportSignal::records;
  std::uint32_t count = 0;  // of records, spans or points
  std::string body;
};

class ExportQueue {
 public:
  static constexpr std::size_t kMemoryBytesMax = 8 * 1024 * 1024;

  // Takes what an earlier process left in `folder`; empty: nothing is kept in files.
  ExportQueue(std::string folder, std::uint64_t spool_bytes);

  bool push(ExportBatch batch);  // false: full, or the file cannot be written
  // The oldest, which stays until `pop`; waits for one, until `until` or `wake`.
  const ExportBatch* front(std::chrono::steady_clock::time_point until);
  void pop();
  void wake();  // `front` returns now
  // Moves what is in memory to files, as far as there is room. How many records, spans and points were lost.
  std::uint64_t put_away();

  std::uint64_t waiting_bytes() const;
  std::uint64_t spool_failures() const;

 private:
  bool write_file(std::uint64_t number, const ExportBatch& batch);
  std::optional<ExportBatch> read_file(std::uint64_t number) const;
  std::string path_of(std::uint64_t number) const;
  void remove_file(std::uint64_t number);

  struct Spooled {
    std::uint64_t number, bytes;
  };
  const std::string folder_;
  const std::uint64_t spool_bytes_max_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ExportBatch> memory_;  // the oldest
  std::deque<Spooled> files_;       // younger than what is in memory
  std::uint64_t memory_bytes_ = 0, spool_bytes_ = 0, failures_ = 0;
  std::uint64_t next_ = 1'000'000'000;  // not from 1: `put_away` puts files before the first
  std::optional<ExportBatch> front_;    // the one that is being sent
  std::optional<Spooled> front_file_;
  bool woken_ = false;
};

}  // namespace gatehouse::app
