#include "gateway/layers/waf/route_tuning.h"

#include <algorithm>

#include "waf/engine/tune.h"

namespace gatehouse::gateway {
namespace {

WallTime end_of(const WafExclusion& exclusion) {
  return exclusion.until ? WallTime(*exclusion.until + std::chrono::days(1)) : WallTime::max();
}

bool any_matches(std::span<const PathPattern> paths, std::string_view path) noexcept {
  return paths.empty() ||
         std::any_of(paths.begin(), paths.end(), [&](const PathPattern& pattern) { return pattern.matches(path); });
}

std::vector<PathPattern> patterns_of(const WafExclusion& exclusion) {
  std::vector<PathPattern> patterns;
  for (const std::string& path : exclusion.paths) {
    if (auto pattern = PathPattern::parse(path)) patterns.push_back(std::move(*pattern));
  }
  return patterns;
}

}  // namespace

waf::Exclusion exclusion_of(const WafExclusion& exclusion) {
  waf::Exclusion result;
  for (const WafRuleRange& range : exclusion.rules) result.ids.push_back({range.first, range.last});
  result.tags = exclusion.tags;
  for (const std::string& text : exclusion.targets) {
    if (auto target = waf::parse_target(text)) result.targets.push_back(std::move(*target));
  }
  for (const std::string& parameter : exclusion.parameters) {
    for (waf::Target& target : waf::targets_of_argument(parameter)) result.targets.push_back(std::move(target));
  }
  return result;
}

bool holds(const WafExclusion& exclusion, std::string_view path, WallTime now) {
  return now < end_of(exclusion) && any_matches(patterns_of(exclusion), path);
}

RouteTuning::RouteTuning(const WafConfig& all, const RouteWafConfig& route, const waf::Program& program) {
  preset(program,
         {route.paranoia.value_or(all.paranoia), route.inbound_threshold.value_or(all.inbound_threshold),
          route.outbound_threshold.value_or(all.outbound_threshold)},
         always_);
  for (const auto* list : {&all.exclude, &route.exclude}) {
    for (const WafExclusion& exclusion : *list) {
      const bool always = exclusion.paths.empty() && !exclusion.until;
      exclude(program, exclusion_of(exclusion), always ? always_ : part_of(exclusion).tuning);
    }
  }
}

RouteTuning::Part& RouteTuning::part_of(const WafExclusion& exclusion) {
  const WallTime end = end_of(exclusion);
  for (Part& part : parts_) {
    if (part.end == end && part.written == exclusion.paths) return part;
  }
  Part& part = parts_.emplace_back();
  part.written = exclusion.paths;
  part.paths = patterns_of(exclusion);
  part.end = end;
  return part;
}

bool RouteTuning::Part::holds(std::string_view path, WallTime now) const noexcept {
  return now < end && any_matches(paths, path);
}

void RouteTuning::choose(std::string_view path, WallTime now, std::vector<const waf::Tuning*>& list,
                         waf::Transaction::Settings& settings) const {
  list.clear();
  for (const Part& part : parts_) {
    if (part.holds(path, now)) list.push_back(&part.tuning);
  }
  settings.tuning = &always_;
  settings.more_tunings = list;
}

}  // namespace gatehouse::gateway
