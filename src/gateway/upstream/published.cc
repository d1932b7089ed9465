#include "gateway/upstream/published.h"

namespace gatehouse::gateway {
namespace {

struct alignas(64) Slot {
  std::atomic<const void*> value{nullptr};
  std::atomic<bool> taken{false};
};
std::array<Slot, HazardSlots::kThreadsMax> slots;
std::atomic<std::size_t> slots_used{0};  // the highest ever taken, plus one

struct Lease {
  Slot* slot = nullptr;
  Lease() noexcept {
    for (std::size_t i = 0; i < slots.size(); ++i) {
      bool free = false;
      if (!slots[i].taken.compare_exchange_strong(free, true)) continue;
      slot = &slots[i];
      std::size_t used = slots_used.load();
      while (used < i + 1 && !slots_used.compare_exchange_weak(used, i + 1)) {
      }
      return;
    }
    GH_CHECK(slot != nullptr);
  }
  ~Lease() { slot->taken.store(false); }
};

}  // namespace

std::atomic<const void*>& HazardSlots::mine() noexcept {
  thread_local Lease lease;
  return lease.slot->value;
}

bool HazardSlots::in_use(const void* value) noexcept {
  // A thread that takes a slot beyond `used` after this load sees the new value: its own load comes later in the total
  // order than the exchange that retired this one.
  const std::size_t used = slots_used.load(std::memory_order_seq_cst);
  for (std::size_t i = 0; i < used; ++i) {
    if (slots[i].value.load(std::memory_order_seq_cst) == value) return true;
  }
  return false;
}

}  // namespace gatehouse::gateway
