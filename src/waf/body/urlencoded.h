#pragma once
// Query strings, application/x-www-form-urlencoded bodies and Cookie headers as names and values.
//
// As libmodsecurity splits them: at `&`, then at the first `=`; an empty piece is an argument with an empty name,
// except after a closing `&`. `+` is a space; a `%` without two hexadecimal digits stays as it is and is flagged.
// Thread safety: functions without state. Linear in the text.
// Source: WHATWG URL §5.1; RFC 6265 §4.2 for cookies.

#include "waf/body/body.h"

namespace gatehouse::waf {

struct UrlencodedResult {
  bool invalid_escape = false;
  bool too_many = false;  // the arguments from `stopped_at` on are unread
  std::size_t stopped_at = 0;
};

// Appends to `out` at most `arguments_max` arguments. What needs no decoding is a view into `text`.
UrlencodedResult parse_urlencoded(std::string_view text, std::size_t arguments_max, Arena& arena,
                                  std::vector<NameValue>& out);

// The same for a body.
void read_urlencoded_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body);

// Splits the value of one Cookie header at `;` and appends names and values, undecoded, as views into `header`. White
// space before a name is dropped, cookies without a name too; a cookie without `=` has an empty value. False when there
// were more than `cookies_max`, which leaves the rest unread.
bool parse_cookies(std::string_view header, std::size_t cookies_max, std::vector<NameValue>& out);

}  // namespace gatehouse::waf
