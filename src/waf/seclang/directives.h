#pragma once
// Directives that set something up: those that are kept as RuleSettings, and those that have no meaning in a gateway.

#include "waf/rule.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

enum class Known : std::uint8_t { no, yes };

// Applies a directive that is not about rules; `no` when it is none of these.
Known apply_setting(const Directive& directive, RuleSettings& settings, const Place& place);

// Says of a directive that nobody knows what it may have been meant to be. `others` are those known elsewhere.
void unknown_directive(const Span& name, std::span<const std::string_view> others, const Place& place);

}  // namespace gatehouse::waf
