#pragma once
// Threads for work that blocks or is heavy: SQL, password hashing, mail, fetching. Shards hand it over and never wait;
// on the processor they come first (nice).
//
// Thread safety: `submit` from any thread, a worker of the pool included. Work that has begun is not interrupted, so it
// needs a bound of its own.
// Invariants: (1) at most `queue_max` pieces of work wait; one more is refused, and what was to be run stays with the
// caller, who answers 503. (2) What was accepted is run: the destructor takes nothing new, waits until the queue is
// empty and the last piece is done, and joins.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace gatehouse::net {

class WorkerPool {
 public:
  // `name` is what the threads are called, with a number behind it: at most 11 characters are shown.
  WorkerPool(std::string name, std::size_t threads, std::size_t queue_max);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool();

  // As the destructor; afterwards `submit` says false. For whoever still may be asked when its work is over.
  void stop();

  // False: the queue is full (or the pool is ending), and `work` has not been moved from. `work` need not be copyable.
  template <class Work>
  [[nodiscard]] bool submit(Work&& work) {
    if (!reserve()) return false;
    enqueue(std::make_unique<TaskOf<std::decay_t<Work>>>(std::forward<Work>(work)));
    return true;
  }

  std::size_t threads() const noexcept { return threads_.size(); }
  std::size_t waiting() const;  // accepted and not begun
  std::size_t running() const;

 private:
  struct Task {
    virtual ~Task() = default;
    virtual void run() = 0;
  };
  template <class Work>
  struct TaskOf final : Task {
    explicit TaskOf(Work&& from) : work(std::move(from)) {}
    explicit TaskOf(const Work& from) : work(from) {}
    void run() override { work(); }
    Work work;
  };
  bool reserve();
  void enqueue(std::unique_ptr<Task> task);
  void serve(std::size_t index);

  const std::string name_;
  const std::size_t queue_max_;
  mutable std::mutex mutex_;  // over everything below; not held while work runs
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Task>> queue_;
  std::size_t reserved_ = 0;  // in the queue, or about to be
  std::size_t running_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gatehouse::net
