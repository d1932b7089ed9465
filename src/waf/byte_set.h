#pragma once
// A set of byte values: what a transformation may touch, what a value holds, what @validateByteRange accepts.
//
// Thread safety: values.

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::waf {

class ByteSet {
 public:
  constexpr ByteSet() noexcept = default;

  static constexpr ByteSet of(std::string_view bytes) noexcept {
    ByteSet set;
    for (const char c : bytes) set.insert(static_cast<std::uint8_t>(c));
    return set;
  }
  static constexpr ByteSet range(std::uint8_t first, std::uint8_t last) noexcept {  // both included
    ByteSet set;
    for (unsigned value = first; value <= last; ++value) set.insert(static_cast<std::uint8_t>(value));
    return set;
  }
  static constexpr ByteSet all() noexcept { return range(0, 255); }

  constexpr void insert(std::uint8_t value) noexcept { words_[value >> 6] |= std::uint64_t{1} << (value & 63); }
  constexpr bool contains(std::uint8_t value) const noexcept { return (words_[value >> 6] >> (value & 63)) & 1; }
  constexpr bool intersects(const ByteSet& other) const noexcept {
    return ((words_[0] & other.words_[0]) | (words_[1] & other.words_[1]) | (words_[2] & other.words_[2]) |
            (words_[3] & other.words_[3])) != 0;
  }
  constexpr bool is_subset_of(const ByteSet& other) const noexcept {
    return ((words_[0] & ~other.words_[0]) | (words_[1] & ~other.words_[1]) | (words_[2] & ~other.words_[2]) |
            (words_[3] & ~other.words_[3])) == 0;
  }
  constexpr bool is_empty() const noexcept { return (words_[0] | words_[1] | words_[2] | words_[3]) == 0; }
  constexpr ByteSet operator|(const ByteSet& other) const noexcept {
    ByteSet set;
    for (std::size_t i = 0; i < words_.size(); ++i) set.words_[i] = words_[i] | other.words_[i];
    return set;
  }
  constexpr bool operator==(const ByteSet&) const noexcept = default;

 private:
  std::array<std::uint64_t, 4> words_{};
};

}  // namespace gatehouse::waf
