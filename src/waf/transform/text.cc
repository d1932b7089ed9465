// Case, NULs and white space.
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

// The no-break space in UTF-8. Each of its bytes is taken for white space, in whatever character it stands, so that the
// one byte of ISO 8859-1 is met as well.
constexpr char kNoBreakSpaceLead = '\xc2';
constexpr char kNoBreakSpace = '\xa0';

// The first of two blanks in a row.
std::size_t find_two_blanks(std::string_view in) noexcept {
  std::size_t i = 0;
#ifdef __SSE2__
  const __m128i blank = _mm_set1_epi8(' ');
  for (; i + 17 <= in.size(); i += 16) {
    const __m128i here = load_block(in.data() + i);
    const __m128i next = load_block(in.data() + i + 1);
    const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(here, blank), _mm_cmpeq_epi8(next, blank));
    if (const auto mask = static_cast<unsigned>(_mm_movemask_epi8(both))) {
      return i + static_cast<std::size_t>(std::countr_zero(mask));
    }
  }
#endif
  for (; i + 1 < in.size(); ++i) {
    if (in[i] == ' ' && in[i + 1] == ' ') return i;
  }
  return in.size();
}

// Letters of [kFirst, kLast] become those of the other case.
template <char kFirst, char kLast>
bool flip_case(std::string_view in, std::string& out) {
  const std::size_t first = find_range<kFirst, kLast>(in);
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  const std::string_view rest = in.substr(first);
  char* to = result.take(rest.size());
  std::size_t i = 0;
#ifdef __SSE2__
  const __m128i bit = _mm_set1_epi8(0x20);
  for (; i + 16 <= rest.size(); i += 16) {
    const __m128i block = load_block(rest.data() + i);
    const __m128i flip = _mm_and_si128(in_range<kFirst, kLast>(block), bit);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), _mm_xor_si128(block, flip));
  }
#endif
  for (; i < rest.size(); ++i) {
    to[i] = rest[i] >= kFirst && rest[i] <= kLast ? static_cast<char>(rest[i] ^ 0x20) : rest[i];
  }
  return result.finish();
}

template <class Keep>
bool keep_only(std::string_view in, std::size_t first, std::string& out, Keep keep) {
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  for (const char c : in.substr(first)) {
    if (keep(c)) result.put(c);
  }
  return result.finish();
}

bool replaced_by(std::string_view part, std::string_view in, std::string& out) {
  if (part.size() == in.size()) return false;
  out.assign(part);
  return true;
}

std::string_view without_leading_space(std::string_view in) noexcept {
  while (!in.empty() && is_space(in.front())) in.remove_prefix(1);
  return in;
}

std::string_view without_trailing_space(std::string_view in) noexcept {
  while (!in.empty() && is_space(in.back())) in.remove_suffix(1);
  return in;
}

}  // namespace

bool lowercase(std::string_view in, std::string& out) { return flip_case<'A', 'Z'>(in, out); }
bool uppercase(std::string_view in, std::string& out) { return flip_case<'a', 'z'>(in, out); }

bool remove_nulls(std::string_view in, std::string& out) {
  return keep_only(in, find_any<'\0'>(in), out, [](char c) { return c != '\0'; });
}

bool replace_nulls(std::string_view in, std::string& out) {
  if (find_any<'\0'>(in) == in.size()) return false;
  out.assign(in);
  std::replace(out.begin(), out.end(), '\0', ' ');
  return true;
}

bool remove_whitespace(std::string_view in, std::string& out) {
  const std::size_t first = find_any<' ', '\t', '\n', '\v', '\f', '\r', kNoBreakSpaceLead, kNoBreakSpace>(in);
  return keep_only(in, first, out, [](char c) { return !is_space(c) && c != kNoBreakSpaceLead && c != kNoBreakSpace; });
}

bool compress_whitespace(std::string_view in, std::string& out) {
  // Text has a blank here and there, and stays as it is.
  const std::size_t first = std::min(find_range<'\t', '\r'>(in), find_two_blanks(in));
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  bool after_space = first > 0 && in[first - 1] == ' ';
  for (const char c : in.substr(first)) {
    const bool space = is_space(c);
    if (!space) {
      result.put(c);
    } else if (!after_space) {
      result.put(' ');
    }
    after_space = space;
  }
  return result.finish();
}

bool trim(std::string_view in, std::string& out) {
  return replaced_by(without_leading_space(without_trailing_space(in)), in, out);
}
bool trim_left(std::string_view in, std::string& out) { return replaced_by(without_leading_space(in), in, out); }
bool trim_right(std::string_view in, std::string& out) { return replaced_by(without_trailing_space(in), in, out); }

}  // namespace gatehouse::waf
