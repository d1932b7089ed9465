#include "waf/body/text.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace gatehouse::waf {
namespace {

constexpr std::array<std::int8_t, 256> kHexValue = [] {
  std::array<std::int8_t, 256> table{};
  table.fill(-1);
  for (int i = 0; i < 10; ++i) table[static_cast<std::size_t>('0' + i)] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    table[static_cast<std::size_t>('a' + i)] = static_cast<std::int8_t>(10 + i);
    table[static_cast<std::size_t>('A' + i)] = static_cast<std::int8_t>(10 + i);
  }
  return table;
}();

int hex_value(char c) noexcept { return kHexValue[static_cast<unsigned char>(c)]; }

}  // namespace

std::string_view percent_decode(std::string_view text, PlusSign plus, Arena& arena, bool& invalid_escape) {
  const char space = plus == PlusSign::space ? '+' : '%';
  std::size_t i = 0;
  while (i < text.size() && text[i] != '%' && text[i] != space) ++i;
  if (i == text.size()) return text;
  char* const begin = arena.allocate(text.size());
  std::memcpy(begin, text.data(), i);
  char* to = begin + i;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
      const int low = high >= 0 ? hex_value(text[i + 2]) : -1;
      if (low >= 0) {
        *to++ = static_cast<char>(high << 4 | low);
        i += 2;
      } else {
        *to++ = c;
        invalid_escape = true;
      }
    } else {
      *to++ = c == space ? ' ' : c;
    }
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

}  // namespace gatehouse::waf
