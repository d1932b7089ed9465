#pragma once
// Memory that lives as long as one request. Allocation is a pointer bump; everything is given back at once by `reset`,
// which keeps the first block for the next request.
//
// Thread safety: one owner. Invariant: what was returned stays valid and unmoved until `reset` or destruction.

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace gatehouse {

class Arena {
 public:
  explicit Arena(std::size_t block_bytes = 4096) noexcept : block_bytes_(block_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  char* allocate(std::size_t bytes, std::size_t alignment = 1) {
    const std::size_t at = (used_ + alignment - 1) & ~(alignment - 1);
    if (!blocks_.empty() && at + bytes <= blocks_.back().size) [[likely]] {
      used_ = at + bytes;
      return blocks_.back().data.get() + at;
    }
    return allocate_slow(bytes);
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = allocate(text.size());
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  template <class T>
  std::span<T> array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* first = reinterpret_cast<T*>(allocate(count * sizeof(T), alignof(T)));
    for (std::size_t i = 0; i < count; ++i) new (first + i) T();
    return {first, count};
  }

  void reset() noexcept {
    if (blocks_.size() > 1) blocks_.resize(1);
    if (!blocks_.empty() && blocks_.front().size > 4 * block_bytes_) blocks_.clear();
    used_ = 0;
  }
  // Taken from the system, used or not.
  std::size_t bytes() const noexcept {
    std::size_t sum = 0;
    for (const Block& block : blocks_) sum += block.size;
    return sum;
  }
  void release() noexcept { blocks_.clear(), used_ = 0; }

 private:
  struct Block {
    std::unique_ptr<char[]> data;
    std::size_t size;
  };
  char* allocate_slow(std::size_t bytes) {
    const std::size_t size = bytes > block_bytes_ ? bytes : block_bytes_;
    blocks_.push_back({std::unique_ptr<char[]>(new char[size]), size});
    used_ = bytes;
    return blocks_.back().data.get();
  }

  std::vector<Block> blocks_;
  std::size_t used_ = 0;
  std::size_t block_bytes_;
};

}  // namespace gatehouse
