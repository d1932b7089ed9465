#include "gateway/sharing/sharing_desk.h"

#include <utility>

namespace gatehouse::gateway {

void SharingDesk::open() {
  for (auto& queue : queues_) queue = std::make_unique<HandoverQueue<RateUse>>(kUsesMax);
  open_.store(true, std::memory_order_release);
}

std::size_t SharingDesk::own_queue() noexcept {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kQueues;
  return mine;
}

void SharingDesk::used(const RateUse& use) noexcept {
  if (!queues_[own_queue()]->push(use)) left_out_.add();
}

void SharingDesk::tell(Notice notice) {
  // Bans and what ends them are kept for a Redis that is away for a while; what is only counted is not.
  const bool lasting = notice.kind == Notice::Kind::ban || notice.kind == Notice::Kind::unban;
  if (!is_open() || (!lasting && !sharing())) return;
  const std::lock_guard lock(mutex_);
  if (notices_.size() >= kNoticesMax) return left_out_.add();
  notices_.push_back(std::move(notice));
}

std::vector<Notice> SharingDesk::take_notices() {
  const std::lock_guard lock(mutex_);
  return std::exchange(notices_, {});
}

}  // namespace gatehouse::gateway
