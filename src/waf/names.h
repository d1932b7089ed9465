#pragma once
// Names whose letter case does not count: header fields, arguments, TX variables, as ModSecurity compares them. ASCII
// only.

#include <algorithm>
#include <string>
#include <string_view>

#include "waf/characters.h"

namespace gatehouse::waf {

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
