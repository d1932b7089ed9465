#pragma once
// A rule set ready for use: compiled, with its plan.
//
// Thread safety: immutable; shared by all shards and configuration snapshots. Loading reads files and may compile for a
// minute: control threads only.

#include <memory>
#include <string>
#include <vector>

#include "waf/engine/program.h"
#include "waf/match/match_plan.h"
#include "waf/seclang/parser.h"

namespace gatehouse::waf {

struct RuleEngine {
  std::unique_ptr<const Program> program;
  std::unique_ptr<const MatchPlan> plan;  // null: rules run one by one
};

// `crs` stands for the OWASP Core Rule Set as Debian's package modsecurity-crs installs it, in the order of its own
// load file; anything else is a path or a pattern of the shell.
std::vector<RuleSource> rule_sources(const std::vector<std::string>& rules);

}  // namespace gatehouse::waf
