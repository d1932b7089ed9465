#pragma once
// A bounded table of one 64-bit word per 64-bit key, shared by all shards: the memory behind rates, bans and penalties.
//
// Layout: one mapped block of 64-byte buckets, four slots {key, word} each. A key may live in two buckets, so eight
// slots, found by two parts of its hash. Key and word change together, by one 16-byte compare-and-swap.
// Thread safety: every call from any thread; no locks. A caller that stalls holds nobody up.
// Invariants:
// (1) The table never grows. A new key takes a free slot (word 0), or else the smallest word among its eight; the
//     smallest word is what the caller values least (the oldest time).
// (2) While words only grow within a slot, which holds as long as nothing live is evicted, a key is in the table at
//     most once, whatever threads insert it at the same moment. Proof: let A choose slot i (word a, unchanged until its
//     swap succeeds) and B choose slot j (word b, likewise), and let A's swap come first. B did not meet the key, so it
//     read slot i before that swap and found at most a; it chose j, so b < a. A read slot j before its own swap, hence
//     before B's, and found at most b; it chose i, so a < b. Contradiction; equal words are ordered by their place.
// The key is a keyed hash, so that an attacker cannot choose who shares a bucket. Key 0 stands for "free": a hash of 0
// is taken as 1.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/result.h"

namespace gatehouse::gateway {

// Sixteen bytes that change at once. Reads are of halves: whoever acts on a pair confirms it by `swap`.
struct alignas(16) WordSlot {
  std::uint64_t key;
  std::uint64_t word;

  std::uint64_t load_key() const noexcept { return __atomic_load_n(&key, __ATOMIC_ACQUIRE); }
  std::uint64_t load_word() const noexcept { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
};
bool swap(WordSlot& slot, WordSlot expected, WordSlot desired) noexcept;

// The mapped block and the places of a key in it. Pages are zero, and only what is touched costs memory.
class WordSlots {
 public:
  static constexpr std::size_t kBucket = 4;  // slots; one cache line

  static Result<WordSlots> create(std::size_t entries_max);
  WordSlots(WordSlots&& other) noexcept;
  WordSlots& operator=(WordSlots&&) = delete;
  ~WordSlots();

  WordSlot* first_bucket(std::uint64_t key) const noexcept { return slots_ + (key & mask_) * kBucket; }
  WordSlot* second_bucket(std::uint64_t key) const noexcept {
    const std::uint64_t other = (key >> 32) & mask_;
    return slots_ + (other == (key & mask_) ? other ^ 1 : other) * kBucket;
  }
  // The slot of `key` and the word read from it, or null.
  WordSlot* find(std::uint64_t key, std::uint64_t& word) const noexcept;
  std::span<WordSlot> all() const noexcept { return {slots_, (mask_ + 1) * kBucket}; }

 private:
  WordSlots(WordSlot* slots, std::uint64_t mask) noexcept : slots_(slots), mask_(mask) {}

  WordSlot* slots_;
  std::uint64_t mask_;  // buckets - 1
};

class WordTable {
 public:
  struct Update {
    bool changed = false;
    std::uint64_t evicted_key = 0;   // 0: none
    std::uint64_t evicted_word = 0;  // what it held
  };

  // `entries_max` is rounded up to a power of two, at least 8; 16 bytes each. Fails only when memory cannot be mapped.
  static Result<WordTable> create(std::size_t entries_max);

  std::optional<std::uint64_t> load(std::uint64_t key) const noexcept;

  // Calls `change(optional word) -> optional new word` until its result could be stored against an unchanged word; it
  // may run several times, so it has no side effects but overwriting its own output. No result: nothing is stored.
  // A stored 0 frees the slot.
  template <class Change>
  Update update(std::uint64_t key, Change&& change) noexcept;

  std::size_t capacity() const noexcept { return slots_.all().size(); }
  std::size_t used() const noexcept;  // walks the whole table: for tests and the status page

 private:
  explicit WordTable(WordSlots slots) noexcept : slots_(std::move(slots)) {}
  // The least valued of the eight slots of `key`, as it was read; null when the key turned up meanwhile.
  WordSlot* least(std::uint64_t key, WordSlot& seen) const noexcept;

  WordSlots slots_;
};

template <class Change>
WordTable::Update WordTable::update(std::uint64_t key, Change&& change) noexcept {
  key = key == 0 ? 1 : key;
  for (;;) {
    std::uint64_t word = 0;
    WordSlot seen;
    if (WordSlot* slot = slots_.find(key, word)) {
      const std::optional<std::uint64_t> next = change(std::optional<std::uint64_t>(word));
      if (!next) return {};
      if (swap(*slot, {key, word}, {*next == 0 ? 0 : key, *next})) return {true, 0, 0};
      continue;
    }
    WordSlot* slot = least(key, seen);
    if (slot == nullptr) continue;
    const std::optional<std::uint64_t> next = change(std::optional<std::uint64_t>());
    if (!next || *next == 0) return {};
    if (swap(*slot, seen, {key, *next})) return {true, seen.key, seen.word};
  }
}

}  // namespace gatehouse::gateway
