#pragma once
// Words of the language: looking them up in any case, and saying what is wrong with one that is not known.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "waf/names.h"

namespace gatehouse::waf {

// The entry of a table whose `name` is the word; null when there is none.
template <class Entry>
const Entry* find_word(std::span<const Entry> table, std::string_view word) noexcept {
  for (const Entry& entry : table) {
    if (same_name(entry.name, word)) return &entry;
  }
  return nullptr;
}

template <class Entry>
std::vector<std::string_view> names_of(std::span<const Entry> table) {
  std::vector<std::string_view> names;
  for (const Entry& entry : table) names.push_back(entry.name);
  return names;
}

// `did you mean X?`, or nothing.
std::string guess(std::string_view word, std::span<const std::string_view> known);

// Decimal digits only, nothing around them; empty when there is anything else or it does not fit.
std::optional<std::uint64_t> number(std::string_view text) noexcept;

// Words for messages: in quotes, cut when long, control characters replaced.
std::string shown(std::string_view text);

}  // namespace gatehouse::waf
