#pragma once
// Names whose letter case does not count: header fields, arguments, TX variables, as ModSecurity compares them. ASCII
// only.

#include <algorithm>
#include <string>
#include <string_view>

namespace gatehouse::waf {

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}

inline bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace gatehouse::waf
