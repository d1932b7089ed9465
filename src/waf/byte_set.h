#pragma once
// A set of byte values: what a transformation may touch, what a value holds, what @validateByteRange accepts.
//
// Thread safety: values.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

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
  static constexpr ByteSet from_words(const std::array<std::uint64_t, 4>& words) noexcept {
    ByteSet set;
    set.words_ = words;
    return set;
  }
  // The values whose flag is 0xff; the others are 0.
  static ByteSet from_flags(const std::array<std::uint8_t, 256>& flags) noexcept {
    ByteSet set;
    for (std::size_t word = 0; word < set.words_.size(); ++word) {
      for (std::size_t part = 0; part < 64; part += 16) {
#ifdef __SSE2__
        const auto* at = reinterpret_cast<const __m128i*>(flags.data() + word * 64 + part);
        const auto bits = static_cast<std::uint64_t>(static_cast<unsigned>(_mm_movemask_epi8(_mm_loadu_si128(at))));
#else
        std::uint64_t bits = 0;
        for (std::size_t i = 0; i < 16; ++i) bits |= std::uint64_t{flags[word * 64 + part + i] & 1u} << i;
#endif
        set.words_[word] |= bits << part;
      }
    }
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
  constexpr const std::array<std::uint64_t, 4>& words() const noexcept { return words_; }
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
