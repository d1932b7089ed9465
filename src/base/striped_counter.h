#pragma once
// A count to which many threads add often: each adds to a cache line of its own, as long as there are no more of them
// than stripes, and whoever reads sums them up.
//
// Thread safety: any thread.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace gatehouse {

class StripedCounter {
 public:
  void add(std::uint64_t amount = 1) noexcept { stripes_[own()].value.fetch_add(amount, std::memory_order_relaxed); }
  std::uint64_t total() const noexcept {
    std::uint64_t sum = 0;
    for (const Stripe& stripe : stripes_) sum += stripe.value.load(std::memory_order_relaxed);
    return sum;
  }

 private:
  static constexpr std::size_t kStripes = 32;
  struct alignas(64) Stripe {
    std::atomic<std::uint64_t> value{0};
  };
  static std::size_t own() noexcept {
    static std::atomic<std::size_t> next{0};
    thread_local const std::size_t mine = next.fetch_add(1, std::memory_order_relaxed) % kStripes;
    return mine;
  }

  std::array<Stripe, kStripes> stripes_;
};

}  // namespace gatehouse
