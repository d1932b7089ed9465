#include "base/block_pool.h"

#include <malloc.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace gatehouse::block_pool {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kEnabled = false;
#else
constexpr bool kEnabled = true;
#endif

constexpr std::size_t kClasses = kSmallMax / kStep + 1;  // 0: records

struct Free {
  Free* next;
};

struct List {
  Free* head = nullptr;
  std::size_t count = 0;
};

class Lists {
 public:
  ~Lists() {
    open_ = false;  // what other destructors of this thread still give back goes to malloc
    for (List& list : lists_) {
      while (void* block = pop(list)) std::free(block);
    }
  }
  void* take(std::size_t index) noexcept { return pop(lists_[index]); }
  bool keep(std::size_t index, void* block) noexcept {
    List& list = lists_[index];
    if (!open_ || list.count == (index ? kBlocksMax : kRecordsMax)) return false;
    list.head = new (block) Free{list.head};
    ++list.count;
    return true;
  }

 private:
  static void* pop(List& list) noexcept {
    Free* block = list.head;
    if (!block) return nullptr;
    list.head = block->next;
    --list.count;
    return block;
  }
  std::array<List, kClasses> lists_{};
  bool open_ = true;
};

thread_local Lists lists;

}  // namespace

void* allocate(std::size_t bytes) noexcept {
  std::size_t index = (bytes + kStep - 1) / kStep, rounded = index * kStep;
  if (bytes > kRecordBytes / 2 && bytes <= kRecordBytes) {
    index = 0, rounded = kRecordBytes;
  } else if (bytes == 0 || bytes > kSmallMax) {
    return std::malloc(bytes);
  }
  if constexpr (!kEnabled) return std::malloc(bytes);
  void* block = lists.take(index);
  return block ? block : std::malloc(rounded);
}

// The libraries don't say how large the block is: malloc knows, and never has less than was asked for.
void release(void* block) noexcept {
  if (kEnabled && block) {
    const std::size_t usable = malloc_usable_size(block);
    const std::size_t index = usable / kStep;
    if (usable >= kRecordBytes && usable < kRecordBytes + kStep) {
      if (lists.keep(0, block)) return;
    } else if (index > 0 && index < kClasses) {
      if (lists.keep(index, block)) return;
    }
  }
  std::free(block);
}

}  // namespace gatehouse::block_pool
