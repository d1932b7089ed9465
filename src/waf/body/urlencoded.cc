#include "waf/body/urlencoded.h"

#include <array>
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

std::string_view decode(std::string_view text, Arena& arena, bool& invalid_escape) {
  std::size_t i = 0;
  while (i < text.size() && text[i] != '%' && text[i] != '+') ++i;
  if (i == text.size()) return text;
  char* const begin = arena.allocate(text.size());
  std::memcpy(begin, text.data(), i);
  char* to = begin + i;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+') {
      *to++ = ' ';
    } else if (c == '%') {
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
      *to++ = c;
    }
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

// isspace of the C locale.
bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

UrlencodedResult parse_urlencoded(std::string_view text, std::size_t arguments_max, Arena& arena,
                                  std::vector<NameValue>& out) {
  UrlencodedResult result;
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (count++ == arguments_max) {
      result.too_many = true;
      result.stopped_at = at;
      return result;
    }
    const std::string_view piece = text.substr(at, text.find('&', at) - at);
    const std::size_t equals = piece.find('=');
    const std::string_view name = piece.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1);
    out.push_back({decode(name, arena, result.invalid_escape), decode(value, arena, result.invalid_escape)});
    at += piece.size() + 1;
  }
  return result;
}

void read_urlencoded_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body) {
  const UrlencodedResult result = parse_urlencoded(bytes, limits.arguments_max, arena, body.arguments);
  body.invalid_escape = result.invalid_escape;
  if (result.too_many) body.fail(BodyError::too_many_arguments, "too many arguments", result.stopped_at);
}

bool parse_cookies(std::string_view header, std::size_t cookies_max, std::vector<NameValue>& out) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < header.size();) {
    std::string_view piece = header.substr(at, header.find(';', at) - at);
    at += piece.size() + 1;
    // White space at the very end is not part of the last cookie; before a `;` it is.
    if (at >= header.size()) {
      while (!piece.empty() && is_space(piece.back())) piece.remove_suffix(1);
    }
    const std::size_t equals = piece.find('=');
    std::string_view name = piece.substr(0, equals);
    while (!name.empty() && is_space(name.front())) name.remove_prefix(1);
    if (name.empty()) continue;
    if (count++ == cookies_max) return false;
    out.push_back({name, equals == std::string_view::npos ? std::string_view{} : piece.substr(equals + 1)});
  }
  return true;
}

}  // namespace gatehouse::waf
