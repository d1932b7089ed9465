#include "gateway/count_table.h"

#include <thread>

#include "base/check.h"

namespace gatehouse::gateway {

Result<CountTable> CountTable::create(std::size_t entries_max) {
  auto slots = WordSlots::create(entries_max);
  if (!slots) return tl::unexpected(std::move(slots.error()));
  return CountTable(std::move(*slots), std::make_unique<Stripes>());
}

CountTable::Acquired CountTable::acquire(std::uint64_t key, std::uint32_t max) noexcept {
  key = key == 0 ? 1 : key;
  if (max == 0) return Acquired::over;
  for (;;) {
    std::uint64_t count = 0;
    if (WordSlot* slot = slots_.find(key, count)) {
      if (count >= max) return Acquired::over;
      if (swap(*slot, {key, count}, {key, count + 1})) return Acquired::ok;
      continue;
    }
    std::atomic<bool>& busy = stripes_->busy[(key >> 20) % kStripes];
    while (busy.exchange(true, std::memory_order_acquire)) std::this_thread::yield();
    const bool known = slots_.find(key, count) != nullptr;
    const bool entered = !known && enter(key);
    busy.store(false, std::memory_order_release);
    if (entered) return Acquired::ok;
    if (!known) return Acquired::full;
  }
}

bool CountTable::enter(std::uint64_t key) noexcept {
  for (WordSlot* bucket : {slots_.first_bucket(key), slots_.second_bucket(key)}) {
    for (WordSlot* slot = bucket; slot != bucket + WordSlots::kBucket; ++slot) {
      const WordSlot seen{slot->load_key(), slot->load_word()};
      // A slot that fell to zero keeps its key until somebody else needs the place; its owner may revive it, and then
      // this swap fails.
      if (seen.word == 0 && swap(*slot, seen, {key, 1})) return true;
    }
  }
  return false;
}

void CountTable::release(std::uint64_t key) noexcept {
  key = key == 0 ? 1 : key;
  for (;;) {
    std::uint64_t count = 0;
    WordSlot* slot = slots_.find(key, count);
    GH_CHECK(slot != nullptr && count > 0);  // a release without its acquire
    if (swap(*slot, {key, count}, {key, count - 1})) return;
  }
}

std::uint32_t CountTable::count(std::uint64_t key) const noexcept {
  std::uint64_t count = 0;
  slots_.find(key == 0 ? 1 : key, count);
  return static_cast<std::uint32_t>(count);
}

std::uint64_t CountTable::total() const noexcept {
  std::uint64_t total = 0;
  for (const WordSlot& slot : slots_.all()) total += slot.load_word();
  return total;
}

}  // namespace gatehouse::gateway
