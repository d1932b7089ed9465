#pragma once
// Guessing what a misspelt word of a configuration or a rule was meant to be. Values; no shared state.

#include <span>
#include <string_view>

namespace gatehouse {

// The member of `known` closest to `word`, for "did you mean"; empty when nothing is close enough to be a slip. Case
// does not count, nor does `-` for `_`.
std::string_view closest(std::string_view word, std::span<const std::string_view> known) noexcept;

}  // namespace gatehouse
