#pragma once
// `ctl:ruleRemoveTargetById=942100;ARGS:a[b]`: what a rule changes for the rest of its transaction.

#include <optional>

#include "waf/rule.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

// Empty after an error, and for what has no meaning here, which is noted.
std::optional<Ctl> parse_ctl(const Span& span, const Place& place);

}  // namespace gatehouse::waf
