#pragma once
// SecLang, the rule language of ModSecurity 3, into a RuleSet. What is not understood is an error with its place; what
// is understood and has no meaning in a gateway is listed; nothing is dropped in silence.
//
// Source: ModSecurity Reference Manual (v3). Where ModSecurity 2 and 3 differ, 3 is followed: default actions, removals
// and updates hold for the whole configuration, wherever they stand; tags and messages are compared whole; `block`
// without a SecDefaultAction of its phase passes. A rule without a phase runs in phase 2, as the manual says.
//
// Control threads only: files are read. Values; no shared state. Invariants: (1) parsing never stops at an error: the
// result names them all, up to a bound; (2) a rule set with errors is not to be used, its rules are there for tools.

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "waf/rule.h"

namespace gatehouse::waf {

// A file, or several by a pattern of the shell in their names' order; or a text, whose relative paths count from the
// folder of `name`.
struct RuleSource {
  std::string name;
  std::optional<std::string> text;
};

struct ParseLimits {
  std::size_t file_bytes_max = 4 * 1024 * 1024;  // of rules or phrases
  std::size_t total_bytes_max = 64 * 1024 * 1024;
  std::size_t files_max = 2000;  // data files included
  std::size_t include_depth_max = 16;
  std::size_t errors_max = 100;  // and as many notes of what was ignored
  bool files =
      true;  // whether Include and the data files of operators are read: not for rules that came over the network
};

struct Finding {
  Position position;    // line 0: of the file as a whole
  std::string message;  // what
  std::string hint;     // what to write instead; may be empty
};

struct ParseResult {
  RuleSet rules;
  std::vector<Finding> errors;   // in the order found
  std::vector<Finding> ignored;  // understood, without effect here
  bool more_errors = false;      // there were more than `errors_max`
  std::string digest;            // of everything read: with the same one the rules are the same
};

ParseResult parse_rules(std::span<const RuleSource> sources, const ParseLimits& limits = {});

// `file:line:column: message; hint`. Columns are bytes, from 1.
std::string to_string(const Finding& finding, const RuleSet& rules);

}  // namespace gatehouse::waf
