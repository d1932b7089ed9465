#include "http/http1_syntax.h"

#include <array>
#include <bit>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace gatehouse::http {
namespace {

// 0 for what can't be in a token, else the lower-case byte.
constexpr auto kTokenLower = [] {
  std::array<char, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'a'; c <= 'z'; ++c) table[c] = static_cast<char>(c);
  for (int c = 'A'; c <= 'Z'; ++c) table[c] = static_cast<char>(c + 32);
  for (char c : {'!', '#', '$', '%', '&', '\'', '*', '+', '-', '.', '^', '_', '`', '|', '~'}) table[c] = c;
  return table;
}();

constexpr unsigned char byte_of(char c) noexcept { return static_cast<unsigned char>(c); }

std::string_view trim(const char* from, const char* to) noexcept {
  while (from < to && (*from == ' ' || *from == '\t')) ++from;
  while (to > from && (to[-1] == ' ' || to[-1] == '\t')) --to;
  return {from, static_cast<std::size_t>(to - from)};
}

// A name with `_` for `-` that a CGI-like server would take for a framing field.
bool looks_like_framing(std::string_view name) noexcept {
  const auto same = [&](std::string_view real) {
    if (name.size() != real.size()) return false;
    for (std::size_t i = 0; i < name.size(); ++i) {
      if (name[i] != real[i] && !(name[i] == '_' && real[i] == '-')) return false;
    }
    return true;
  };
  return same("content-length") || same("transfer-encoding");
}

// Why a name that ends at `at` in something else than a colon is refused.
ParseResult bad_name_end(const char* at, const char* end) noexcept {
  if (*at == ' ' || *at == '\t') {
    // "Name : value" is a smuggling classic; "Name value" is a line without a colon.
    while (at < end && (*at == ' ' || *at == '\t')) ++at;
    if (at == end) return kIncomplete;
    return refused(*at == ':' ? Reason::space_before_colon : Reason::missing_colon);
  }
  if (*at == '\r') {
    if (at + 1 == end) return kIncomplete;
    return refused(at[1] == '\n' ? Reason::missing_colon : Reason::bare_cr);
  }
  return refused(*at == '\n' ? Reason::bare_lf : Reason::bad_field_name);
}

struct Name {
  std::string_view text;  // as it came
  bool upper, underscore;
};

Name scan_name(const char* at, const char* end) noexcept {
  const char* const from = at;
  bool upper = false, underscore = false;
  for (; at < end && kTokenLower[byte_of(*at)] != 0; ++at) {
    upper |= kTokenLower[byte_of(*at)] != *at;
    underscore |= *at == '_';
  }
  return {{from, static_cast<std::size_t>(at - from)}, upper, underscore};
}

std::string_view lower_case(std::string_view name, Arena& arena) {
  char* to = arena.allocate(name.size());
  for (std::size_t i = 0; i < name.size(); ++i) to[i] = kTokenLower[byte_of(name[i])];
  return {to, name.size()};
}

#if defined(__SSE2__)
// The name of nearly every field: letters, digits and dashes, and a colon within sixteen bytes. Empty when it is
// another kind of name; the caller then looks at it byte by byte.
std::string_view short_name(const char* at, const char* end, Arena& arena) {
  if (end - at < 16) return {};
  const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
  const __m128i lower = _mm_or_si128(v, _mm_set1_epi8(0x20));
  // Signed comparisons: a byte above ASCII is negative, and in no range.
  const auto within = [](__m128i bytes, char first, char last) {
    return _mm_and_si128(_mm_cmpgt_epi8(bytes, _mm_set1_epi8(static_cast<char>(first - 1))),
                         _mm_cmplt_epi8(bytes, _mm_set1_epi8(static_cast<char>(last + 1))));
  };
  const __m128i letter = within(lower, 'a', 'z');
  const __m128i good = _mm_or_si128(letter, _mm_or_si128(within(v, '0', '9'), _mm_cmpeq_epi8(v, _mm_set1_epi8('-'))));
  const unsigned stop = static_cast<unsigned>(_mm_movemask_epi8(good)) ^ 0xffffu;
  if (stop == 0) return {};
  const auto length = static_cast<unsigned>(std::countr_zero(stop));
  if (at[length] != ':') return {};
  const __m128i upper = _mm_andnot_si128(_mm_cmpeq_epi8(v, lower), letter);
  if ((static_cast<unsigned>(_mm_movemask_epi8(upper)) & ((1u << length) - 1)) == 0) return {at, length};
  char* const to = arena.allocate(16);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to), _mm_or_si128(v, _mm_and_si128(upper, _mm_set1_epi8(0x20))));
  return {to, length};
}
#else
std::string_view short_name(const char*, const char*, Arena&) { return {}; }
#endif

// The name up to its colon, in lower case.
ParseResult parse_name(const char* at, const char* end, const FieldRules& rules, Arena& arena, std::string_view& out) {
  const Name name = scan_name(at, end);
  const char* const colon = at + name.text.size();
  if (colon == end) return kIncomplete;
  if (*colon != ':') return bad_name_end(colon, end);
  if (name.text.empty()) return refused(Reason::bad_field_name);
  out = name.upper ? lower_case(name.text, arena) : name.text;
  if (name.underscore && (!rules.underscores || looks_like_framing(out))) return refused(Reason::underscore_in_name);
  return kGood;
}

// One field line; `at` is at its first byte.
ParseResult parse_field(const char*& at, const char* end, bool first, const FieldRules& rules, Arena& arena,
                        Fields& out) {
  if (*at == ' ' || *at == '\t') return refused(first ? Reason::leading_space : Reason::obs_fold);
  std::string_view name = short_name(at, end, arena);
  if (name.empty()) {
    const ParseResult result = parse_name(at, end, rules, arena, name);
    if (result.status != ParseStatus::complete) return result;
  }
  const char* const value = at + name.size() + 1;
  const char* value_end = find_control(value, end);
  const std::string_view trimmed = trim(value, value_end);
  const ParseResult ended = line_end(value_end, end);
  if (ended.status != ParseStatus::complete) return ended;
  if (out.size() >= rules.fields_max) return refused(Reason::too_many_headers);
  out.add(name, trimmed);
  at = value_end;
  return kGood;
}

}  // namespace

const char* find_control(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i space = _mm_set1_epi8(0x20);
  const __m128i tab = _mm_set1_epi8('\t');
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    // unsigned v < 0x20 <=> max(v, 0x20) != v
    const __m128i visible = _mm_cmpeq_epi8(_mm_max_epu8(v, space), v);
    const __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(v, del), _mm_or_si128(visible, _mm_cmpeq_epi8(v, tab)));
    const unsigned bad = static_cast<unsigned>(_mm_movemask_epi8(good)) ^ 0xffffu;
    if (bad != 0) return at + std::countr_zero(bad);
  }
#endif
  for (; at < end; ++at) {
    const unsigned char c = byte_of(*at);
    if ((c < 0x20 && c != '\t') || c == 0x7f) break;
  }
  return at;
}

const char* find_target_end(const char* at, const char* end) noexcept {
#if defined(__SSE2__)
  const __m128i first = _mm_set1_epi8(0x21);
  const __m128i del = _mm_set1_epi8(0x7f);
  for (; end - at >= 16; at += 16) {
    const __m128i v = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
    const __m128i good = _mm_andnot_si128(_mm_cmpeq_epi8(v, del), _mm_cmpeq_epi8(_mm_max_epu8(v, first), v));
    const unsigned bad = static_cast<unsigned>(_mm_movemask_epi8(good)) ^ 0xffffu;
    if (bad != 0) return at + std::countr_zero(bad);
  }
#endif
  while (at < end && byte_of(*at) > 0x20 && *at != 0x7f) ++at;
  return at;
}

const char* find_token_end(const char* at, const char* end) noexcept {
  while (at < end && kTokenLower[byte_of(*at)] != 0) ++at;
  return at;
}

Reason control_reason(char c) noexcept {
  if (c == '\n') return Reason::bare_lf;
  if (c == '\r') return Reason::bare_cr;
  return Reason::control_byte;
}

ParseResult line_end(const char*& at, const char* end) noexcept {
  if (at == end) return kIncomplete;
  if (*at != '\r') return refused(control_reason(*at));
  if (at + 1 == end) return kIncomplete;
  if (at[1] != '\n') return refused(Reason::bare_cr);
  at += 2;
  return kGood;
}

ParseResult parse_field_lines(const char*& at, const char* end, const FieldRules& rules, Arena& arena, Fields& out) {
  for (bool first = true;; first = false) {
    if (at == end) return kIncomplete;
    if (*at == '\r' || *at == '\n') return line_end(at, end);
    const ParseResult result = parse_field(at, end, first, rules, arena, out);
    if (result.status != ParseStatus::complete) return result;
  }
}

}  // namespace gatehouse::http
