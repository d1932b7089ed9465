#include "events/term_filter.h"

#include <algorithm>
#include <bit>

namespace gatehouse::events {
namespace {

constexpr int kBitsSet = 7;
constexpr std::size_t kBitsPerTerm = 10, kBytesMin = 32, kBytesMax = 256 * 1024;

// Calls `visit` with byte and bit of each of a term's places (double hashing: Kirsch and Mitzenmacher, 2006).
template <class Visit>
void for_each_place(Term term, std::size_t bytes, Visit visit) noexcept {
  const std::uint64_t step = (term >> 32) | 1;
  std::uint64_t place = term;
  for (int i = 0; i < kBitsSet; ++i, place += step) {
    const std::uint64_t bit = place & (bytes * 8 - 1);
    visit(static_cast<std::size_t>(bit / 8), static_cast<unsigned char>(1U << (bit % 8)));
  }
}

}  // namespace

std::string make_term_filter(std::span<const Term> distinct) {
  const std::size_t bytes = std::clamp(std::bit_ceil(distinct.size() * kBitsPerTerm / 8), kBytesMin, kBytesMax);
  std::string filter(bytes, '\0');
  for (const Term term : distinct) {
    for_each_place(term, bytes, [&](std::size_t byte, unsigned char bit) {
      filter[byte] = static_cast<char>(static_cast<unsigned char>(filter[byte]) | bit);
    });
  }
  return filter;
}

bool may_hold(std::string_view filter, Term term) noexcept {
  if (filter.size() < kBytesMin || !std::has_single_bit(filter.size())) return true;
  bool all = true;
  for_each_place(term, filter.size(), [&](std::size_t byte, unsigned char bit) {
    all = all && (static_cast<unsigned char>(filter[byte]) & bit) != 0;
  });
  return all;
}

}  // namespace gatehouse::events
