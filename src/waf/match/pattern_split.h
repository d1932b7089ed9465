#pragma once
// Splits a regular expression into several that together match exactly where it does, for a compiler that finds the
// whole too large: at its alternatives, or at those of a group that stands once (`a(?:b|c)d` is `abd` or `acd`).
//
// Pure functions. What a pattern captures is not kept: the pieces are for finding, not for taking apart.
// Source: pcre2pattern(3).

#include <string>
#include <string_view>
#include <vector>

namespace gatehouse::waf {

// Two pieces at least, in the order of the alternatives; empty when there is nothing to split at.
std::vector<std::string> split_alternatives(std::string_view pattern);

}  // namespace gatehouse::waf
