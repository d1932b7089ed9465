#pragma once
// Work that may fail for a while: done by a thread of its own, tried again with growing pauses, given up after some
// tries.
//
// Thread safety: `push` from any thread. Bounded: `waiting_max` pieces wait, one more is refused.
// What waits when the process ends is lost, and counted in a line of the log: these are messages of which people can
// ask for another.

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/result.h"

namespace gatehouse::app {

class RetryQueue {
 public:
  // An error with Retry::safe is tried again; any other is the end of it.
  using Work = std::function<Status()>;
  enum class Thread : bool { none, own };  // without one, `run_due` does the work: for tests

  static constexpr int kTriesMax = 6;  // over about 13 minutes

  RetryQueue(std::string name, std::size_t waiting_max, const Clock& clock, Thread thread);
  RetryQueue(const RetryQueue&) = delete;
  RetryQueue& operator=(const RetryQueue&) = delete;
  ~RetryQueue();  // waits for the piece under way

  Status push(Work work);  // ErrorCode::exhausted: full

  // Does what is due, in the order in which it became so; returns how long nothing will be.
  Duration run_due();
  std::size_t waiting() const;

 private:
  struct Piece {
    Work work;
    int tries = 0;
    MonotonicTime due{};
  };
  void run();

  const std::string name_;
  const std::size_t waiting_max_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Piece> pieces_;
  std::size_t under_way_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace gatehouse::app
