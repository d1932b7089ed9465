#pragma once
// Bounds on what a service is given at once, over all shards: connections, requests that wait for one, requests.
//
// Thread safety: any shard; no lock. Invariant: `used` never exceeds `max`, and what was admitted is given back exactly
// once, when its Admission ends. An Admission must not outlive its Limit: hold the Cluster for as long.
//
// `used` is sequentially consistent over all Limits: of one thread that gives a place back and then asks whether
// somebody waits, and one that begins to wait and then asks for a place, at least one sees the other.

#include <atomic>
#include <cstdint>
#include <utility>

namespace gatehouse::gateway {

class Limit;

// A place within a Limit; empty when there was none.
class [[nodiscard]] Admission {
 public:
  Admission() = default;
  Admission(Admission&& other) noexcept : limit_(std::exchange(other.limit_, nullptr)) {}
  Admission& operator=(Admission&& other) noexcept {
    if (this != &other) {
      release();
      limit_ = std::exchange(other.limit_, nullptr);
    }
    return *this;
  }
  ~Admission() { release(); }
  explicit operator bool() const noexcept { return limit_ != nullptr; }
  inline void release() noexcept;

 private:
  friend class Limit;
  explicit Admission(Limit* limit) noexcept : limit_(limit) {}
  Limit* limit_ = nullptr;
};

class Limit {
 public:
  explicit Limit(std::uint32_t max) noexcept : max_(max) {}
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;

  Admission admit() noexcept {
    Admission admission = try_admit();
    if (!admission) refused_.fetch_add(1, std::memory_order_relaxed);
    return admission;
  }
  // The same, for those who can wait: it does not count as refused.
  Admission try_admit() noexcept {
    std::uint32_t used = used_.load();
    while (used < max_) {
      if (used_.compare_exchange_weak(used, used + 1)) return Admission(this);
    }
    return {};
  }
  std::uint32_t used() const noexcept { return used_.load(); }
  std::uint32_t max() const noexcept { return max_; }
  std::uint64_t refused() const noexcept { return refused_.load(std::memory_order_relaxed); }

 private:
  friend class Admission;
  const std::uint32_t max_;
  alignas(64) std::atomic<std::uint32_t> used_{0};
  std::atomic<std::uint64_t> refused_{0};
};

inline void Admission::release() noexcept {
  if (limit_ != nullptr) std::exchange(limit_, nullptr)->used_.fetch_sub(1);
}

}  // namespace gatehouse::gateway
