#pragma once
// Where a value stands, as a number: what a compiled pattern is asked for, and what a hit is told by.
//
// Thread safety: values.

#include <bitset>
#include <cstdint>
#include <optional>

#include "waf/engine/collections.h"

namespace gatehouse::waf {

// The values of a list, its names, or a variable with one value.
using Field = std::uint8_t;
constexpr std::size_t kFields = 2 * kValueLists + kVariables;
using FieldMask = std::bitset<kFields>;

constexpr Field field_of(ValueList list, bool names) noexcept {
  return static_cast<Field>(2 * static_cast<std::size_t>(list) + (names ? 1 : 0));
}
constexpr Field field_of(Variable single) noexcept {
  return static_cast<Field>(2 * kValueLists + static_cast<std::size_t>(single));
}

// One value of a request: its field and its place in the list.
using ItemId = std::uint64_t;
constexpr ItemId item_of(Field field, std::size_t index) noexcept { return ItemId{field} << 32 | index; }

}  // namespace gatehouse::waf
