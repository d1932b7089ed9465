#include "app/identity/housekeeper.h"

#include <chrono>
#include <cstdint>

namespace gatehouse::app {

void Housekeeper::start(std::function<void()> every_second, std::function<void()> every_minute) {
  thread_ = std::thread([this, every_second = std::move(every_second), every_minute = std::move(every_minute)] {
    std::unique_lock lock(mutex_);
    for (std::uint64_t second = 1; !stopping_; ++second) {
      wake_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
      if (stopping_) return;
      lock.unlock();
      every_second();
      if (second % 60 == 0) every_minute();
      lock.lock();
    }
  });
}

void Housekeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

}  // namespace gatehouse::app
