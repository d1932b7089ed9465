#pragma once
// An immutable value that one writer replaces and many threads read, without locks for the readers and without a count
// that all of them would fight over.
//
// Hazard pointers: a reader writes what it is about to read into its thread's slot and looks again whether that is
// still current; the writer frees a replaced value once no slot names it. (M. Michael, "Hazard Pointers", IEEE TPDS
// 2004.)
//
// Thread safety: `read` from any thread, one Guard at a time in each; `publish` from one thread at a time.
// Invariant: replaced values that still wait for a reader are at most as many as there are threads.

#include <array>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "base/check.h"

namespace gatehouse::gateway {

// The calling thread's slot: taken on first use, given back when the thread ends.
class HazardSlots {
 public:
  static constexpr std::size_t kThreadsMax = 1024;
  static std::atomic<const void*>& mine() noexcept;
  static bool in_use(const void* value) noexcept;
};

template <class T>
class Published {
 public:
  explicit Published(std::unique_ptr<const T> first) : current_(first.release()) {}
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;
  ~Published() {  // nobody reads any more
    delete current_.load();
    for (const T* old : retired_) delete old;
  }

  class Guard {
   public:
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard() { slot_.store(nullptr, std::memory_order_release); }
    const T& operator*() const noexcept { return *value_; }
    const T* operator->() const noexcept { return value_; }

   private:
    friend class Published;
    Guard(std::atomic<const void*>& slot, const std::atomic<const T*>& current) noexcept : slot_(slot) {
      GH_CHECK(slot.load(std::memory_order_relaxed) == nullptr);  // one guard at a time
      do {
        value_ = current.load(std::memory_order_relaxed);
        slot_.store(value_, std::memory_order_seq_cst);
      } while (current.load(std::memory_order_seq_cst) != value_);
    }
    std::atomic<const void*>& slot_;
    const T* value_;
  };
  Guard read() const noexcept { return Guard(HazardSlots::mine(), current_); }

  void publish(std::unique_ptr<const T> value) {
    retired_.push_back(current_.exchange(value.release(), std::memory_order_seq_cst));
    std::erase_if(retired_, [](const T* old) {
      if (HazardSlots::in_use(old)) return false;
      delete old;
      return true;
    });
  }

 private:
  std::atomic<const T*> current_;
  std::vector<const T*> retired_;
};

}  // namespace gatehouse::gateway
