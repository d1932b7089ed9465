#pragma once
// What kind of character a byte is. ASCII; the locale has no say.

#include <cstdint>

namespace gatehouse::waf {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_alphanumeric(char c) noexcept { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z'); }

// As isspace() has it in the C locale: blank, \t \n \v \f \r.
constexpr bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

// The value of a hexadecimal digit; 16 or more for any other byte.
constexpr unsigned hex_value(char c) noexcept {
  if (is_digit(c)) return static_cast<unsigned>(c - '0');
  const unsigned letter = (static_cast<std::uint8_t>(c) | 0x20u) - 'a';
  return letter < 6 ? letter + 10 : 16;
}
constexpr bool is_hex(char c) noexcept { return hex_value(c) < 16; }

}  // namespace gatehouse::waf
