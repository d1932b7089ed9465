#include "gateway/word_table.h"

#include <sys/mman.h>

#include <bit>
#include <cstring>
#include <utility>

namespace gatehouse::gateway {

// cmpxchg16b is on every x86-64 since 2006, but not in the baseline that compilers assume.
#if defined(__x86_64__)
__attribute__((target("cx16")))
#endif
bool swap(WordSlot& slot, WordSlot expected, WordSlot desired) noexcept {
  using Pair = unsigned __int128;
  static_assert(sizeof(WordSlot) == sizeof(Pair) && alignof(WordSlot) == 16);
  Pair from, to;
  std::memcpy(&from, &expected, sizeof from);
  std::memcpy(&to, &desired, sizeof to);
  return __sync_bool_compare_and_swap(reinterpret_cast<Pair*>(&slot), from, to);
}

Result<WordSlots> WordSlots::create(std::size_t entries_max) {
  const std::size_t entries = std::bit_ceil(entries_max < 2 * kBucket ? 2 * kBucket : entries_max);
  void* block = mmap(nullptr, entries * sizeof(WordSlot), PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return fail_errno(fmt::format("mapping a table of {} entries", entries));
  return WordSlots(static_cast<WordSlot*>(block), entries / kBucket - 1);
}

WordSlots::WordSlots(WordSlots&& other) noexcept : slots_(std::exchange(other.slots_, nullptr)), mask_(other.mask_) {}

WordSlots::~WordSlots() {
  if (slots_ != nullptr) munmap(slots_, all().size() * sizeof(WordSlot));
}

WordSlot* WordSlots::find(std::uint64_t key, std::uint64_t& word) const noexcept {
  for (WordSlot* bucket : {first_bucket(key), second_bucket(key)}) {
    for (WordSlot* slot = bucket; slot != bucket + kBucket; ++slot) {
      if (slot->load_key() != key) continue;
      const std::uint64_t read = slot->load_word();
      // The slot may have changed hands between the two loads; then the word is somebody else's.
      if (slot->load_key() != key) continue;
      word = read;
      return slot;
    }
  }
  return nullptr;
}

Result<WordTable> WordTable::create(std::size_t entries_max) {
  auto slots = WordSlots::create(entries_max);
  if (!slots) return tl::unexpected(std::move(slots.error()));
  return WordTable(std::move(*slots));
}

std::optional<std::uint64_t> WordTable::load(std::uint64_t key) const noexcept {
  key = key == 0 ? 1 : key;
  std::uint64_t word = 0;
  if (slots_.find(key, word) == nullptr) return std::nullopt;
  return word;
}

WordSlot* WordTable::least(std::uint64_t key, WordSlot& seen) const noexcept {
  WordSlot* least = nullptr;
  for (WordSlot* bucket : {slots_.first_bucket(key), slots_.second_bucket(key)}) {
    for (WordSlot* slot = bucket; slot != bucket + WordSlots::kBucket; ++slot) {
      // The word before the key: a word from after somebody's insertion then comes with the inserted key.
      WordSlot now;
      now.word = slot->load_word();
      now.key = slot->load_key();
      if (now.key == key) return nullptr;
      // Ties go to the lower slot in memory, so that everybody who looks for this key's place agrees.
      if (least == nullptr || now.word < seen.word) least = slot, seen = now;
      if (now.word == 0) return least;
    }
  }
  return least;
}

std::size_t WordTable::used() const noexcept {
  std::size_t used = 0;
  for (const WordSlot& slot : slots_.all()) used += slot.load_key() != 0;
  return used;
}

}  // namespace gatehouse::gateway
