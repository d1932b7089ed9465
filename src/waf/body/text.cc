#include "waf/body/text.h"

#include <cstring>

namespace gatehouse::waf {
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
      const unsigned high = i + 2 < text.size() ? hex_value(text[i + 1]) : 16;
      const unsigned low = high < 16 ? hex_value(text[i + 2]) : 16;
      if (low < 16) {
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
