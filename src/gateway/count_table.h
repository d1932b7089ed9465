#pragma once
// How many of something are open per key, exact across all shards: connections of an address, requests in flight of a
// limit.
//
// Thread safety: every call from any thread. Changing the count of a key that is known takes no lock. The first of a
// key holds one of `kStripes` spin bits for the few instructions in which it looks twice and takes a slot: unlike a
// WordTable's words, counts fall, so nothing but a lock keeps two threads from entering one key twice.
// Invariants: (1) bounded: with all eight slots of a key in use, a new key gets `full`, which the caller refuses.
// (2) A slot whose count is not zero keeps its key.

#include <array>
#include <atomic>
#include <memory>

#include "gateway/word_table.h"

namespace gatehouse::gateway {

class CountTable {
 public:
  enum class Acquired : std::uint8_t { ok, over, full };

  // `entries_max` is rounded up to a power of two; 16 bytes each. At half load `full` is out of reach in practice.
  static Result<CountTable> create(std::size_t entries_max);

  // One more for `key`, unless it has `max` already. Each `ok` needs one `release`.
  Acquired acquire(std::uint64_t key, std::uint32_t max) noexcept;
  void release(std::uint64_t key) noexcept;
  std::uint32_t count(std::uint64_t key) const noexcept;
  std::uint64_t total() const noexcept;  // walks the table: for tests and the status page

 private:
  static constexpr std::size_t kStripes = 256;
  struct Stripes {
    std::array<std::atomic<bool>, kStripes> busy{};
  };

  CountTable(WordSlots slots, std::unique_ptr<Stripes> stripes) noexcept
      : slots_(std::move(slots)), stripes_(std::move(stripes)) {}
  // Gives `key` a slot with a count of one. Only under the key's stripe.
  bool enter(std::uint64_t key) noexcept;

  WordSlots slots_;
  std::unique_ptr<Stripes> stripes_;
};

}  // namespace gatehouse::gateway
