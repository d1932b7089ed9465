#pragma once
// What a rule looks at, `ARGS|!ARGS:comment|&REQUEST_HEADERS:Host`, and texts with macros, `%{tx.score}`.

#include <optional>
#include <vector>

#include "waf/rule.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

// Separated by `|` or a comma; a comma or a pipe belongs to a key that stands in quotes or is a regular expression.
std::vector<Target> parse_targets(const Span& span, const Place& place);

// One without `!` and `&`, up to the end of the text: of `ctl:ruleRemoveTargetById=1;ARGS:a[b]`.
std::optional<Target> parse_one_target(const Span& span, const Place& place);

MacroText parse_macros(const Span& span, const Place& place);
MacroText literal_text(std::string text);

// The literal parts in lower case: for the keys of collections.
MacroText lower_case(MacroText text);

}  // namespace gatehouse::waf
