#pragma once
// A cache of a fixed number of entries that expire, shared by all shards.
//
// Thread safety: all calls from any thread. Each bucket of four entries has a lock of one byte, held for a comparison
// and a copy; whoever finds it taken for long (its holder may have been preempted) gives up and goes without the cache,
// so that no shard ever waits for another.
// Invariants: (1) what `find` shows has exactly the key that was asked for, compared in full, and has not expired.
// (2) A full bucket evicts what has expired, else what was used longest ago. (3) Keys are wiped when they leave: they
// may be credentials.

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/clock.h"

namespace gatehouse {

template <class Value>
class BoundedCache {
 public:
  explicit BoundedCache(std::size_t entries_max)
      : mask_(std::bit_ceil(std::max<std::size_t>(entries_max / kWays, 1)) - 1),
        buckets_(std::make_unique<Bucket[]>(mask_ + 1)) {}

  // Calls `use(value)` under the bucket's lock when the key is there; false when it is not. `hash` must be keyed.
  template <class Use>
  bool find(std::uint64_t hash, std::string_view key, WallTime now, Use use) {
    Bucket& bucket = buckets_[hash & mask_];
    const Hold hold(bucket);
    if (!hold.taken()) return false;
    const std::uint32_t tag = tag_of(hash);
    for (std::size_t i = 0; i < kWays; ++i) {
      Entry* entry = bucket.entries[i].get();
      if (bucket.tags[i] != tag || !entry || entry->key != key || entry->expires <= now) continue;
      entry->used = ++bucket.clock;
      use(static_cast<const Value&>(entry->value));
      return true;
    }
    return false;
  }

  // Replaces an entry of the same key.
  void insert(std::uint64_t hash, std::string_view key, WallTime now, WallTime expires, Value value) {
    auto entry = std::make_unique<Entry>(std::string(key), std::move(value), expires);
    Bucket& bucket = buckets_[hash & mask_];
    const Hold hold(bucket);
    if (!hold.taken()) return;
    const std::size_t at = victim(bucket, key, now);
    entry->used = ++bucket.clock;
    bucket.tags[at] = tag_of(hash);
    bucket.entries[at].swap(entry);
  }

  // Gone when this returns: it waits for the lock, unlike the others.
  void erase(std::uint64_t hash, std::string_view key) {
    Bucket& bucket = buckets_[hash & mask_];
    std::unique_ptr<Entry> gone;
    const Hold hold(bucket, Hold::Patience::all);
    for (std::unique_ptr<Entry>& entry : bucket.entries) {
      if (entry && entry->key == key) return gone.swap(entry);
    }
  }

  std::size_t capacity() const noexcept { return (mask_ + 1) * kWays; }

 private:
  static constexpr std::size_t kWays = 4;
  static constexpr int kSpinsMax = 200;

  struct Entry {
    Entry(std::string k, Value v, WallTime end) : key(std::move(k)), value(std::move(v)), expires(end) {}
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { explicit_bzero(key.data(), key.size()); }
    std::string key;
    Value value;
    WallTime expires;
    std::uint32_t used = 0;
  };
  struct alignas(64) Bucket {
    std::atomic<bool> locked{false};
    std::uint32_t clock = 0;
    std::array<std::uint32_t, kWays> tags{};
    std::array<std::unique_ptr<Entry>, kWays> entries;
  };
  class Hold {
   public:
    enum class Patience : bool { some, all };
    explicit Hold(Bucket& bucket, Patience patience = Patience::some) noexcept : bucket_(bucket) {
      for (int i = 0; !taken_; ++i) {
        if (i >= kSpinsMax) {
          if (patience == Patience::some) return;
          std::this_thread::yield();
        }
        taken_ = !bucket_.locked.load(std::memory_order_relaxed) &&
                 !bucket_.locked.exchange(true, std::memory_order_acquire);
      }
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() {
      if (taken_) bucket_.locked.store(false, std::memory_order_release);
    }
    bool taken() const noexcept { return taken_; }

   private:
    Bucket& bucket_;
    bool taken_ = false;
  };

  static std::uint32_t tag_of(std::uint64_t hash) noexcept { return static_cast<std::uint32_t>(hash >> 32); }

  static std::size_t victim(const Bucket& bucket, std::string_view key, WallTime now) noexcept {
    std::size_t best = 0;
    std::uint32_t oldest = 0;
    bool found = false;
    for (std::size_t i = 0; i < kWays; ++i) {
      const Entry* entry = bucket.entries[i].get();
      if (entry && entry->key == key) return i;
      if (found) continue;
      if (!entry || entry->expires <= now) {
        best = i;
        found = true;  // but the key may still come
      } else if (const std::uint32_t age = bucket.clock - entry->used; age >= oldest) {
        best = i;
        oldest = age;
      }
    }
    return best;
  }

  std::size_t mask_;
  std::unique_ptr<Bucket[]> buckets_;
};

}  // namespace gatehouse
