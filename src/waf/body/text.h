#pragma once
// Characters and percent decoding, shared by the body processors. Bytes of ASCII; the locale has no say.
// Thread safety: functions without state.

#include <string_view>

#include "base/arena.h"
#include "waf/characters.h"

namespace gatehouse::waf {

// RFC 2045 §5.1.
constexpr bool is_token_char(char c) noexcept {
  return c > ' ' && c < '\x7f' && std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
}

enum class PlusSign : bool { plus, space };

// Decodes `%` and two hexadecimal digits; another `%` stays as it is and sets `invalid_escape`. The text itself when
// there is nothing to decode, otherwise a copy in the arena.
std::string_view percent_decode(std::string_view text, PlusSign plus, Arena& arena, bool& invalid_escape);

}  // namespace gatehouse::waf
