#pragma once
// What one connection keeps of the statements that it has prepared: the least recently used makes room.
//
// Thread safety: none; its connection has one user at a time.

#include <cstddef>
#include <list>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace gatehouse::store {

template <class T>
class LruCache {
 public:
  explicit LruCache(std::size_t entries_max) : entries_max_(entries_max) {}

  // Null when there is none. Lives until the next `put` or `clear`.
  T* find(std::string_view key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }

  // `key` is not there yet. `evict(T&&)` is called with what had to go.
  template <class Evict>
  T& put(std::string key, T value, const Evict& evict) {
    while (order_.size() >= entries_max_) {
      index_.erase(order_.back().first);
      evict(std::move(order_.back().second));
      order_.pop_back();
    }
    order_.emplace_front(std::move(key), std::move(value));
    index_.emplace(order_.front().first, order_.begin());
    return order_.front().second;
  }

  void clear() { index_.clear(), order_.clear(); }
  std::size_t size() const noexcept { return order_.size(); }

 private:
  std::size_t entries_max_;
  std::list<std::pair<std::string, T>> order_;
  std::unordered_map<std::string_view, typename std::list<std::pair<std::string, T>>::iterator>
      index_;  // keys of order_
};

}  // namespace gatehouse::store
