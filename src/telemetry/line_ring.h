#pragma once
// A bounded byte queue of whole lines from one producer to one consumer.
//
// Thread safety: `push` by the producer's thread; `peek` and `consume` by the consumer's; the counters by anybody.
// Nobody waits: a line that does not fit is refused and counted. Invariants: `tail_ - head_` bytes are queued; both
// only grow; a line becomes visible whole.

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>

namespace gatehouse::telemetry {

class LineRing {
 public:
  explicit LineRing(std::size_t bytes)
      : size_(std::bit_ceil(bytes < 4096 ? std::size_t{4096} : bytes)), data_(new char[size_]) {}

  // Queues `line` and a line break.
  bool push(std::string_view line) noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    // The consumer's position is read only when the last one known leaves no room: its cache line stays where it is.
    if (tail + line.size() + 1 - known_head_ > size_) {
      known_head_ = head_.load(std::memory_order_acquire);
      if (tail + line.size() + 1 - known_head_ > size_) {
        dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return false;
      }
    }
    copy_in(tail, line);
    copy_in(tail + line.size(), "\n");
    // Sequentially consistent, as the consumer's announcement that it sleeps: one of the two sees the other.
    tail_.store(tail + line.size() + 1, std::memory_order_seq_cst);
    return true;
  }

  // What is queued, oldest first, in at most two parts. Valid until `consume`.
  std::array<std::span<const char>, 2> peek() const noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t tail = tail_.load(std::memory_order_seq_cst);
    const std::size_t at = head & (size_ - 1);
    const std::size_t count = static_cast<std::size_t>(tail - head);
    const std::size_t first = count < size_ - at ? count : size_ - at;
    return {std::span<const char>(data_.get() + at, first), std::span<const char>(data_.get(), count - first)};
  }
  void consume(std::size_t bytes) noexcept {
    head_.store(head_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
  }

  bool empty() const noexcept { return head_.load(std::memory_order_relaxed) == tail_.load(std::memory_order_seq_cst); }
  // By the producer.
  bool half_full() noexcept {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - known_head_ <= size_ / 2) return false;
    known_head_ = head_.load(std::memory_order_acquire);
    return tail - known_head_ > size_ / 2;
  }
  std::uint64_t dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  void copy_in(std::uint64_t position, std::string_view bytes) noexcept {
    if (bytes.empty()) return;  // memcpy forbids null even for nothing
    const std::size_t at = position & (size_ - 1);
    const std::size_t first = bytes.size() < size_ - at ? bytes.size() : size_ - at;
    std::memcpy(data_.get() + at, bytes.data(), first);
    std::memcpy(data_.get(), bytes.data() + first, bytes.size() - first);
  }

  const std::size_t size_;
  const std::unique_ptr<char[]> data_;
  alignas(64) std::atomic<std::uint64_t> head_{0};  // the consumer's
  alignas(64) std::atomic<std::uint64_t> tail_{0};  // the producer's
  std::uint64_t known_head_ = 0;
  std::atomic<std::uint64_t> dropped_{0};
};

}  // namespace gatehouse::telemetry
