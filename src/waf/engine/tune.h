#pragma once
// How a Tuning is made: from levels and exclusions, against the program that it is for.
//
// Control threads only.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "waf/engine/tuning.h"
#include "waf/exclusion.h"

namespace gatehouse::waf {

// What the rules of the Core Rule Set are told before the first of them runs, under the names of both generations.
// Their own set-up sets only what is unset.
struct Levels {
  std::optional<std::uint32_t> paranoia, inbound_threshold, outbound_threshold;
};
void preset(const Program& program, const Levels& levels, Tuning& tuning);
void exclude(const Program& program, const Exclusion& exclusion, Tuning& tuning);

// The TX variables that `preset` sets, lower case.
std::vector<std::string_view> preset_names();

}  // namespace gatehouse::waf
