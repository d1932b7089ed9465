#pragma once
// `setvar:'tx.score=+%{tx.critical}'` and `expirevar:'ip.flag=60'`.

#include <optional>

#include "waf/rule.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

// Without a value the variable becomes 1; `!tx.score` takes it away. Empty after an error.
std::optional<SetVar> parse_setvar(const Span& span, const Place& place);
std::optional<ExpireVar> parse_expirevar(const Span& span, const Place& place);

}  // namespace gatehouse::waf
