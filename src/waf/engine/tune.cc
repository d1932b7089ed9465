#include "waf/engine/tune.h"

#include <array>
#include <string>
#include <utility>

namespace gatehouse::waf {
namespace {

struct Level {
  std::string_view name;
  std::optional<std::uint32_t> Levels::*value;
};
constexpr std::array kLevels{
    Level{"blocking_paranoia_level", &Levels::paranoia},
    Level{"detection_paranoia_level", &Levels::paranoia},
    Level{"paranoia_level", &Levels::paranoia},  // the two of version 3
    Level{"executing_paranoia_level", &Levels::paranoia},
    Level{"inbound_anomaly_score_threshold", &Levels::inbound_threshold},
    Level{"outbound_anomaly_score_threshold", &Levels::outbound_threshold},
};

CompiledTarget compile(const Target& target) {
  CompiledTarget result{target.variable, target.select, false, target.key, nullptr, kNoSlot, {}};
  if (target.select != Target::Select::regex) return result;
  // One that doesn't compile was refused by parse_target; without a pattern it would name nothing.
  if (auto pattern = Regex::compile("(?i)" + target.key))
    result.pattern = std::make_shared<const Regex>(std::move(*pattern));
  return result;
}

}  // namespace

void preset(const Program& program, const Levels& levels, Tuning& tuning) {
  for (const Level& level : kLevels) {
    const std::optional<std::uint32_t>& value = levels.*level.value;
    const TxSlot slot = program.slot_of(level.name);
    if (value && slot != kNoSlot) tuning.presets.emplace_back(slot, std::to_string(*value));
  }
}

void exclude(const Program& program, const Exclusion& exclusion, Tuning& tuning) {
  const RuleSet& rules = program.source();
  const std::vector<std::uint32_t> meant = rules_meant(rules, exclusion);
  if (exclusion.targets.empty()) {
    tuning.off.resize(rules.rules.size());
    for (const std::uint32_t rule : meant) tuning.off[rule] = true;
    return;
  }
  for (const Target& target : exclusion.targets) {
    RemovedTarget removed{{}, compile(target)};
    for (const std::uint32_t rule : meant) {
      if (looks_at(rules, rule, target)) removed.rules.push_back(rule);
    }
    if (!removed.rules.empty()) tuning.removed_targets.push_back(std::move(removed));
  }
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Level& level : kLevels) names.push_back(level.name);
  return names;
}

}  // namespace gatehouse::waf
