#pragma once
// A bounded set of connections that callers borrow.
//
// Thread safety: any thread. A Lease gives back in its destructor and must not outlive the pool.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace gatehouse::store {

template <class Connection>
class Pool {
 public:
  class Lease {
   public:
    Lease() = default;
    Lease(Pool& pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    Lease(Lease&& other) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    ~Lease() {
      if (connection_) pool_->give_back(std::move(connection_));
    }
    explicit operator bool() const noexcept { return connection_ != nullptr; }
    Connection& operator*() const noexcept { return *connection_; }
    Connection* operator->() const noexcept { return connection_.get(); }

   private:
    Pool* pool_ = nullptr;
    std::unique_ptr<Connection> connection_;
  };

  void add(std::unique_ptr<Connection> connection) { give_back(std::move(connection)); }

  // Empty when none came free within `wait_max`. The one that was used last comes first: its caches are warm.
  Lease take(Duration wait_max) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_for(lock, wait_max, [&] { return !free_.empty(); })) return {};
    auto connection = std::move(free_.back());
    free_.pop_back();
    return Lease(*this, std::move(connection));
  }

 private:
  void give_back(std::unique_ptr<Connection> connection) {
    {
      const std::lock_guard lock(mutex_);
      free_.push_back(std::move(connection));
    }
    freed_.notify_one();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Connection>> free_;
};

}  // namespace gatehouse::store
