#pragma once
// What somebody wants rules not to look at: which rules it means, and which of their targets.
//
// Control threads only; values, no shared state. A rule is known by the index of its chain's head, in a RuleSet and in
// the Program that is compiled from it alike.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/rule.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

struct Exclusion {
  std::vector<IdRange> ids;  // neither ids nor tags: every rule
  std::vector<std::string> tags;
  std::vector<Target> targets;  // none: the rules are off
};

// `ARGS:comment`, `REQUEST_COOKIES:/^x_/`, `REQUEST_BODY`. The error's position is without meaning.
tl::expected<Target, Finding> parse_target(std::string_view text);
// As parse_target reads it.
std::string to_string(const Target& target);

// An argument of this name with its name, wherever it stands: in the query, in a form, in a JSON body, where members
// are `user.comment` and an array's elements `items[].comment`.
std::vector<Target> targets_of_argument(std::string_view name);
// The other way: `json.items.array_3.comment` is an element of `items[].comment`.
std::string argument_of(std::string_view name);

// The rules that are meant, in their order.
std::vector<std::uint32_t> rules_meant(const RuleSet& rules, const Exclusion& exclusion);

// Whether this rule, its chain included, ever looks at a value that the target names.
bool looks_at(const RuleSet& rules, std::uint32_t head, const Target& target);

}  // namespace gatehouse::waf
