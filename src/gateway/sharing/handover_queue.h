#pragma once
// A bounded queue from many threads to one, without locks: what shards hand over to the thread that shares counts.
//
// Thread safety: `push` from any thread, `pop` from one. A pusher that stalls between taking its cell and filling it
// holds back what came behind it, and nobody waits for it.
// Source: Dmitry Vyukov, "Bounded MPMC queue" (1024cores.net), with one consumer.

#include <atomic>
#include <bit>
#include <cstddef>
#include <memory>

namespace gatehouse::gateway {

template <class T>
class HandoverQueue {
 public:
  explicit HandoverQueue(std::size_t entries)
      : mask_(std::bit_ceil(entries) - 1), cells_(std::make_unique<Cell[]>(mask_ + 1)) {
    for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  // False: it is full.
  bool push(const T& value) noexcept {
    std::size_t at = tail_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[at & mask_];
      const std::size_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == at) {
        if (!tail_.compare_exchange_weak(at, at + 1, std::memory_order_relaxed)) continue;
        cell.value = value;
        cell.turn.store(at + 1, std::memory_order_release);
        return true;
      }
      if (turn < at) return false;
      at = tail_.load(std::memory_order_relaxed);
    }
  }

  bool pop(T& into) noexcept {
    Cell& cell = cells_[head_ & mask_];
    if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return false;
    into = cell.value;
    cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
    ++head_;
    return true;
  }

 private:
  struct Cell {
    std::atomic<std::size_t> turn;
    T value;
  };
  const std::size_t mask_;
  const std::unique_ptr<Cell[]> cells_;
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::size_t head_ = 0;
};

}  // namespace gatehouse::gateway
