#include "app/delivery/retry_queue.h"

#include <algorithm>
#include <array>

#include "telemetry/log.h"

namespace gatehouse::app {
namespace {

using namespace std::chrono_literals;

constexpr std::array<Duration, RetryQueue::kTriesMax - 1> kPauses{1s, 5s, 30s, 2min, 10min};
constexpr Duration kIdle = 1min;

}  // namespace

RetryQueue::RetryQueue(std::string name, std::size_t waiting_max, const Clock& clock, Thread thread)
    : name_(std::move(name)), waiting_max_(waiting_max), clock_(clock) {
  if (thread == Thread::own) thread_ = std::thread([this] { run(); });
}

RetryQueue::~RetryQueue() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  if (!pieces_.empty()) GH_LOG(warn, "what was to be sent is lost", {"queue", name_}, {"count", pieces_.size()});
}

Status RetryQueue::push(Work work) {
  {
    const std::lock_guard lock(mutex_);
    if (pieces_.size() + under_way_ >= waiting_max_) return fail(ErrorCode::exhausted, name_ + ": the queue is full");
    pieces_.push_back({std::move(work), 0, clock_.now()});
  }
  changed_.notify_all();
  return {};
}

std::size_t RetryQueue::waiting() const {
  const std::lock_guard lock(mutex_);
  return pieces_.size() + under_way_;
}

Duration RetryQueue::run_due() {
  std::unique_lock lock(mutex_);
  while (!pieces_.empty() && !stopping_) {
    const auto next =
        std::min_element(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return a.due < b.due; });
    if (next->due > clock_.now()) return next->due - clock_.now();
    std::list<Piece> taken;
    taken.splice(taken.begin(), pieces_, next);
    ++under_way_;
    lock.unlock();
    Piece& piece = taken.front();
    const Status done = piece.work();
    lock.lock();
    --under_way_;
    if (done) continue;
    const bool again = done.error().retry == Retry::safe && ++piece.tries < kTriesMax;
    GH_LOG(warn, "not sent", {"queue", name_}, {"reason", done.error().message}, {"tries_again", again});
    if (!again) continue;
    piece.due = clock_.now() + kPauses[static_cast<std::size_t>(piece.tries - 1)];
    pieces_.splice(pieces_.end(), taken);
  }
  return kIdle;
}

void RetryQueue::run() {
  while (true) {
    const Duration idle = run_due();
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    const bool due = std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.due <= clock_.now(); });
    if (!due) changed_.wait_for(lock, idle);
  }
}

}  // namespace gatehouse::app
