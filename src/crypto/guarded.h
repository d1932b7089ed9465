#pragma once
// The few keys that open everything else: in pages of their own that are never swapped out nor written into a core dump
// (mlock, MADV_DONTDUMP), between inaccessible pages, zeroed when freed. Four pages each; what is many or short-lived
// stays in SecretBytes.
//
// Thread safety: immutable once made. Ends the process when memory cannot be mapped.

#include <cstddef>
#include <string_view>
#include <utility>

namespace gatehouse::crypto {

class GuardedKey {
 public:
  explicit GuardedKey(std::string_view bytes);  // not empty; the caller's copy stays the caller's
  GuardedKey(GuardedKey&& other) noexcept
      : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  GuardedKey& operator=(GuardedKey&& other) noexcept {
    std::swap(bytes_, other.bytes_), std::swap(size_, other.size_);
    return *this;
  }
  GuardedKey(const GuardedKey&) = delete;
  ~GuardedKey();

  std::string_view expose() const noexcept { return {bytes_, size_}; }

 private:
  char* bytes_;
  std::size_t size_;
};

}  // namespace gatehouse::crypto
