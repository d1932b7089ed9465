#pragma once
// What the transformations share: finding the first byte of interest, and writing a result that grows by at most a
// known factor.

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "waf/characters.h"

namespace gatehouse::waf {

#ifdef __SSE2__
inline __m128i load_block(const char* at) noexcept { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }

// 0xff for each byte in [kFirst, kLast]. SSE2 compares signed bytes only: shifted so that the range ends at the largest
// of them, one comparison is enough.
template <std::uint8_t kFirst, std::uint8_t kLast>
__m128i in_range(__m128i block) noexcept {
  const __m128i shift = _mm_set1_epi8(static_cast<char>(127 - kLast));
  const __m128i below = _mm_set1_epi8(static_cast<char>(127 - (kLast - kFirst) - 1));
  return _mm_cmpgt_epi8(_mm_add_epi8(block, shift), below);
}
#endif

// The first byte at or after `from` for which `hits` holds, in.size() when there is none. `hits` answers for one byte
// and, by 0xff, for each of sixteen.
template <class Hits>
std::size_t find_first(std::string_view in, std::size_t from, Hits hits) noexcept {
  std::size_t i = from;
#ifdef __SSE2__
  constexpr std::size_t kBlock = 16;
  for (; i + kBlock <= in.size(); i += kBlock) {
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits(load_block(in.data() + i))))) {
      return i + static_cast<std::size_t>(std::countr_zero(mask));
    }
  }
  if (i < in.size() && in.size() >= kBlock) {  // the rest is the end of one more block
    const std::size_t start = in.size() - kBlock;
    const auto mask = static_cast<unsigned>(_mm_movemask_epi8(hits(load_block(in.data() + start)))) >> (i - start);
    return mask != 0 ? i + static_cast<std::size_t>(std::countr_zero(mask)) : in.size();
  }
#endif
  while (i < in.size() && !hits(in[i])) ++i;
  return i;
}

template <char... kBytes>
struct AnyOf {
  bool operator()(char c) const noexcept { return ((c == kBytes) || ...); }
#ifdef __SSE2__
  __m128i operator()(__m128i block) const noexcept {
    __m128i hits = _mm_setzero_si128();
    ((hits = _mm_or_si128(hits, _mm_cmpeq_epi8(block, _mm_set1_epi8(kBytes)))), ...);
    return hits;
  }
#endif
};

template <std::uint8_t kFirst, std::uint8_t kLast>
struct InRange {
  bool operator()(char c) const noexcept {
    return static_cast<std::uint8_t>(c) >= kFirst && static_cast<std::uint8_t>(c) <= kLast;
  }
#ifdef __SSE2__
  __m128i operator()(__m128i block) const noexcept { return in_range<kFirst, kLast>(block); }
#endif
};

template <char... kBytes>
std::size_t find_any(std::string_view in, std::size_t from = 0) noexcept {
  return find_first(in, from, AnyOf<kBytes...>{});
}
template <std::uint8_t kFirst, std::uint8_t kLast>  // both included
std::size_t find_range(std::string_view in) noexcept {
  return find_first(in, 0, InRange<kFirst, kLast>{});
}

constexpr std::uint8_t byte_at(std::string_view in, std::size_t i) noexcept { return static_cast<std::uint8_t>(in[i]); }

// Both must be digits.
constexpr char hex_pair(char high, char low) noexcept {
  return static_cast<char>(hex_value(high) << 4 | hex_value(low));
}
// Of four hexadecimal digits: the lower byte, as a decoder without a code page has it. Full-width forms (U+FF01 to
// U+FF5E) are the ASCII that they look like.
constexpr char low_byte_of_utf16(std::string_view digits) noexcept {
  const char low = hex_pair(digits[2], digits[3]);
  const bool full_width = (digits[0] | 0x20) == 'f' && (digits[1] | 0x20) == 'f' && low > 0 && low < 0x5f;
  return full_width ? static_cast<char>(low + 0x20) : low;
}
constexpr bool is_octal(char c) noexcept { return c >= '0' && c <= '7'; }

// A result written from the left into a string of its largest size: one check of the size for all bytes. It starts as a
// copy of what comes before the first byte of interest.
class Rewriter {
 public:
  Rewriter(std::string_view in, std::size_t unchanged, std::size_t bytes_max, std::string& out)
      : in_(in), out_(out), begin_(nullptr) {
    out_.resize(bytes_max);
    begin_ = at_ = out_.data();
    copy(in.substr(0, unchanged));
  }
  void put(char c) noexcept { *at_++ = c; }
  // Room for `size` bytes, which the caller writes.
  char* take(std::size_t size) noexcept { return std::exchange(at_, at_ + size); }
  void copy(std::string_view bytes) noexcept {
    if (!bytes.empty()) std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  std::size_t size() const noexcept { return static_cast<std::size_t>(at_ - begin_); }
  char back() const noexcept { return at_[-1]; }
  char at(std::size_t i) const noexcept { return begin_[i]; }
  void cut(std::size_t size) noexcept { at_ = begin_ + size; }

  bool finish() {  // whether the bytes changed
    out_.resize(size());
    return out_ != in_;
  }

 private:
  std::string_view in_;
  std::string& out_;
  char* begin_;
  char* at_;
};

}  // namespace gatehouse::waf
