#pragma once
// What a route changes about a rule set: values that the rules find set, rules that are off, targets that rules do not
// look at.
//
// Thread safety: immutable once made; shared by all shards, and outlives the transactions that use it.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "waf/engine/program.h"

namespace gatehouse::waf {

struct Tuning {
  std::vector<std::pair<TxSlot, std::string>> presets;  // TX variables before the first rule
  std::vector<bool> off;                                // by rule, chain heads; empty: none
  std::vector<RemovedTarget> removed_targets;
};

}  // namespace gatehouse::waf
