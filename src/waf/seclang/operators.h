#pragma once
// `@rx ^a`, `!@within %{tx.methods}`, or a pattern alone.

#include <optional>

#include "waf/rule.h"
#include "waf/seclang/files.h"

namespace gatehouse::waf {

std::optional<Operator> parse_operator(const Span& span, Files* files, const Place& place);

}  // namespace gatehouse::waf
