#include "net/worker_pool.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>

#include "base/check.h"

namespace gatehouse::net {
namespace {

// A shard that wakes up takes the processor from a worker rather than waiting for its turn. Not more than 10: where
// shards keep every core busy, workers still have a tenth of it, and logins go on.
constexpr int kNice = 10;

}  // namespace

WorkerPool::WorkerPool(std::string name, std::size_t threads, std::size_t queue_max)
    : name_(std::move(name)), queue_max_(queue_max) {
  GH_CHECK(threads > 0);
  threads_.reserve(threads);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { serve(i); });
}

WorkerPool::~WorkerPool() { stop(); }

void WorkerPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::size_t WorkerPool::waiting() const {
  const std::lock_guard lock(mutex_);
  return reserved_;
}

std::size_t WorkerPool::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

// A place is taken before the task is made, so that a refused caller keeps what it has.
bool WorkerPool::reserve() {
  const std::lock_guard lock(mutex_);
  if (ending_ || reserved_ >= queue_max_) return false;
  ++reserved_;
  return true;
}

void WorkerPool::enqueue(std::unique_ptr<Task> task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void WorkerPool::serve(std::size_t index) {
  char name[16];
  std::snprintf(name, sizeof name, "%.11s-%zu", name_.c_str(), index);
  ::pthread_setname_np(::pthread_self(), name);
  // On Linux a thread's own. Refused where the whole process gives way more than that already, which is as good.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  std::unique_lock lock(mutex_);
  for (;;) {
    // A place that is reserved will be filled: whoever reserved it is inside `submit`.
    changed_.wait(lock, [this] { return !queue_.empty() || (ending_ && reserved_ == 0); });
    if (queue_.empty()) {
      changed_.notify_all();
      return;
    }
    std::unique_ptr<Task> task = std::move(queue_.front());
    queue_.pop_front();
    --reserved_;
    ++running_;
    lock.unlock();
    task->run();
    task.reset();  // what it holds may take time to go, too
    lock.lock();
    --running_;
    if (ending_ && reserved_ == 0) changed_.notify_all();
  }
}

}  // namespace gatehouse::net
