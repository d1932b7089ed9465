// Exclusions of the WAF: those that have ended, mean nothing, or are wider than need be.
#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "app/config/posture_findings.h"
#include "base/spelling.h"
#include "gateway/layers/waf/route_tuning.h"
#include "waf/engine/rule_engine.h"
#include "waf/engine/tune.h"

namespace gatehouse::app {
namespace {

using namespace gateway;

constexpr std::chrono::days kSoon{14};
constexpr std::size_t kNamedMax = 5;  // of a list in a message

// An exclusion where it stands.
struct Placed {
  const WafExclusion* exclusion = nullptr;
  std::string path;     // as in `locate`
  std::string where;    // of messages: "" or " for the route "x""
  std::size_t route{};  // SIZE_MAX: of all
};

std::vector<Placed> all_exclusions(const Config& config) {
  std::vector<Placed> result;
  for (std::size_t i = 0; i < config.waf.exclude.size(); ++i)
    result.push_back({&config.waf.exclude[i], fmt::format("waf/exclude/{}", i), "", SIZE_MAX});
  for (std::size_t r = 0; r < config.routes.size(); ++r) {
    if (is_built_in(config, config.routes[r])) continue;
    const auto& list = config.routes[r].waf.exclude;
    for (std::size_t i = 0; i < list.size(); ++i) {
      result.push_back({&list[i], fmt::format("routes/{}/waf/exclude/{}", r, i),
                        fmt::format(" for the route \"{}\"", config.routes[r].name), r});
    }
  }
  return result;
}

std::string written(const WafRuleRange& range) {
  return range.first == range.last ? std::to_string(range.first) : fmt::format("{}-{}", range.first, range.last);
}

std::string listed(const std::vector<std::string>& items) {
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kNamedMax); ++i) text += (i == 0 ? "" : ", ") + items[i];
  return items.size() > kNamedMax ? text + " …" : text;
}

// "rules 942100, 941100-941199", "the rules tagged attack-sqli", "all rules"
std::string rules_text(const WafExclusion& exclusion) {
  if (!exclusion.tags.empty()) return "the rules tagged " + listed(exclusion.tags);
  if (exclusion.rules.empty()) return "all rules";
  std::vector<std::string> ranges;
  for (const WafRuleRange& range : exclusion.rules) ranges.push_back(written(range));
  const bool one = ranges.size() == 1 && exclusion.rules[0].first == exclusion.rules[0].last;
  return (one ? "rule " : "rules ") + listed(ranges);
}

// --- what needs no rules ---------------------------------------------------------------------------------------------

void judge_end(Findings& findings, const Placed& placed) {
  const auto& until = placed.exclusion->until;
  if (!until) return;
  const auto today = std::chrono::floor<std::chrono::days>(findings.options().clock.wall());
  const auto left = (*until - today).count();
  if (left < 0) {
    findings.add(Severity::warning, "waf.exclusion_expired", placed.path + "/until",
                 fmt::format("the exclusion of {} ended {} days ago", rules_text(*placed.exclusion), -left),
                 "it has no effect any more, and who reads it may think that it has",
                 "remove it; or give it a new end, if what it was for is still there");
  } else if (*until - today <= kSoon) {
    findings.add(Severity::info, "waf.exclusion_ends_soon", placed.path + "/until",
                 fmt::format("the exclusion of {} ends in {} days", rules_text(*placed.exclusion), left),
                 "the requests that it lets pass are refused again after that",
                 "correct what makes the rules match, or move the date");
  }
}

bool is_whole_collection(const std::string& text) {
  const auto target = waf::parse_target(text);
  return target && target->select == waf::Target::Select::all && waf::is_collection(target->variable);
}

void judge_width(Findings& findings, const Placed& placed) {
  const WafExclusion& exclusion = *placed.exclusion;
  const std::string why = "an attack that only they see passes unseen";
  const std::string rules = rules_text(exclusion);
  const bool one =
      exclusion.tags.empty() && exclusion.rules.size() == 1 && exclusion.rules[0].first == exclusion.rules[0].last;
  if (exclusion.targets.empty() && exclusion.parameters.empty()) {
    const bool everywhere = exclusion.paths.empty();
    findings.add(everywhere || !exclusion.tags.empty() ? Severity::warning : Severity::info, "waf.exclusion_wide",
                 placed.path,
                 fmt::format("{} {} off{}{}", rules, one ? "is" : "are", placed.where,
                             everywhere ? "" : ", on " + listed(exclusion.paths)),
                 why, "name what is not looked at, by parameter or target; gatehouse waf suggest ID tells which");
    return;
  }
  const auto whole = std::find_if(exclusion.targets.begin(), exclusion.targets.end(), is_whole_collection);
  const bool all_rules = exclusion.rules.empty() && exclusion.tags.empty();
  if (whole != exclusion.targets.end()) {
    findings.add(all_rules ? Severity::warning : Severity::info, "waf.exclusion_wide", placed.path,
                 fmt::format("{} {} at no {}{}", rules, one ? "looks" : "look", *whole, placed.where), why,
                 fmt::format("name the one that is meant: \"{}:NAME\"", *whole));
  } else if (all_rules) {
    const auto& what = exclusion.parameters.empty() ? exclusion.targets : exclusion.parameters;
    findings.add(Severity::info, "waf.exclusion_wide", placed.path,
                 fmt::format("no rule looks at {}{}", listed(what), placed.where), why,
                 "name the rules that are in the way: rule: [942100, 942200]");
  }
}

// --- what is held against the rules ----------------------------------------------------------------------------------

// The rules that decide on the score, or set up what all others need.
bool is_foundation(const waf::RuleSet& rules, std::uint32_t head) {
  const waf::Rule& rule = rules.rules[head];
  if (rule.is_action) return !rule.actions.setvars.empty();
  const bool stops =
      rule.actions.disruptive != waf::Disruptive::none && rule.actions.disruptive != waf::Disruptive::pass;
  return stops && std::all_of(rule.targets.begin(), rule.targets.end(),
                              [](const waf::Target& target) { return target.variable == waf::Variable::tx; });
}

class RulesJudge {
 public:
  RulesJudge(Findings& findings, const waf::RuleSet& rules, std::vector<Placed> placed)
      : findings_(findings), rules_(rules), placed_(std::move(placed)) {
    for (const Placed& one : placed_) {
      exclusions_.push_back(exclusion_of(*one.exclusion));
      meant_.push_back(rules_meant(rules_, exclusions_.back()));
    }
  }

  void run() {
    for (std::size_t i = 0; i < placed_.size(); ++i) {
      judge_selectors(i);
      judge_targets(i);
      judge_foundation(i);
      judge_covered(i);
    }
  }

 private:
  void judge_selectors(std::size_t index) {
    const WafExclusion& exclusion = *placed_[index].exclusion;
    const auto none = [&](waf::Exclusion one) { return rules_meant(rules_, one).empty(); };
    for (const WafRuleRange& range : exclusion.rules) {
      if (!none({.ids = {{range.first, range.last}}, .tags = {}, .targets = {}})) continue;
      findings_.add(Severity::warning, "waf.exclusion_no_rule", placed_[index].path + "/rule",
                    fmt::format("no rule has {} {}", range.first == range.last ? "the id" : "an id of", written(range)),
                    "the exclusion does nothing: what it was for may be refused", "correct the id, or remove it");
    }
    for (const std::string& tag : exclusion.tags) {
      if (!none({.ids = {}, .tags = {tag}, .targets = {}})) continue;
      const std::string_view guess = closest_tag(tag);
      findings_.add(Severity::warning, "waf.exclusion_no_rule", placed_[index].path + "/tag",
                    fmt::format("no rule has the tag {}", tag),
                    "the exclusion does nothing: what it was for may be refused",
                    guess.empty() ? "correct the tag, or remove it" : fmt::format("did you mean {}?", guess));
    }
  }

  std::string_view closest_tag(const std::string& tag) const {
    std::vector<std::string_view> tags;
    for (const waf::Rule& rule : rules_.rules)
      tags.insert(tags.end(), rule.actions.tags.begin(), rule.actions.tags.end());
    return closest(tag, tags);
  }

  void judge_targets(std::size_t index) {
    if (meant_[index].empty()) return;
    const WafExclusion& exclusion = *placed_[index].exclusion;
    const auto seen = [&](const std::vector<waf::Target>& targets) {
      return std::any_of(meant_[index].begin(), meant_[index].end(), [&](std::uint32_t rule) {
        return std::any_of(targets.begin(), targets.end(), [&](const auto& t) { return looks_at(rules_, rule, t); });
      });
    };
    const auto report = [&](std::string_view key, const std::string& what) {
      findings_.add(Severity::warning, "waf.exclusion_no_target", placed_[index].path + "/" + std::string(key),
                    fmt::format("{} never looks at {}", rules_text(exclusion), what), "the exclusion does nothing",
                    fmt::format("it looks at {}", listed(targets_of(meant_[index].front()))));
    };
    for (const std::string& text : exclusion.targets) {
      if (const auto target = waf::parse_target(text); target && !seen({*target})) report("target", text);
    }
    for (const std::string& name : exclusion.parameters) {
      if (!seen(waf::targets_of_argument(name))) report("parameter", "arguments, of which " + name + " is one");
    }
  }

  std::vector<std::string> targets_of(std::uint32_t head) const {
    std::vector<std::string> result;
    for (const waf::Target& target : rules_.rules[head].targets) {
      if (!target.exclude && !target.count) result.push_back(to_string(target));
    }
    return result;
  }

  void judge_foundation(std::size_t index) {
    if (!exclusions_[index].targets.empty()) return;
    for (const std::uint32_t head : meant_[index]) {
      if (!is_foundation(rules_, head)) continue;
      const bool sets_up = rules_.rules[head].is_action;
      findings_.add(Severity::error, "waf.exclusion_disarms", placed_[index].path,
                    fmt::format("rule {} is off, which {}", rules_.rules[head].actions.id,
                                sets_up ? "sets up what others need" : "decides on the score"),
                    "whatever the other rules find, nothing is refused",
                    sets_up ? "leave it on" : "leave it on, and raise inbound_threshold where that is what is wanted");
      return;
    }
  }

  // By one of its own list or of all routes'. Of two that are the same the later one is told.
  void judge_covered(std::size_t index) {
    for (std::size_t other = 0; other < placed_.size(); ++other) {
      if (other == index || (placed_[other].route != SIZE_MAX && placed_[other].route != placed_[index].route))
        continue;
      if (!covers(other, index) || (other > index && covers(index, other))) continue;
      findings_.add(
          Severity::warning, "waf.exclusion_covered", placed_[index].path,
          fmt::format("the exclusion of {} is covered by another", rules_text(*placed_[index].exclusion)),
          "it changes nothing, and outlives its reason unseen",
          fmt::format("remove it, or narrow the one that excludes {}", rules_text(*placed_[other].exclusion)));
      return;
    }
  }

  bool covers(std::size_t wide, std::size_t narrow) const {
    const WafExclusion &a = *placed_[wide].exclusion, &b = *placed_[narrow].exclusion;
    if (a.until && (!b.until || *a.until < *b.until)) return false;
    const auto holds_all = [](const auto& list, const auto& of) {
      return std::all_of(of.begin(), of.end(),
                         [&](const auto& one) { return std::find(list.begin(), list.end(), one) != list.end(); });
    };
    if (!a.paths.empty() && (b.paths.empty() || !holds_all(a.paths, b.paths))) return false;
    if (meant_[narrow].empty() ||
        !std::includes(meant_[wide].begin(), meant_[wide].end(), meant_[narrow].begin(), meant_[narrow].end()))
      return false;
    const auto &outer = exclusions_[wide].targets, &inner = exclusions_[narrow].targets;
    if (outer.empty()) return true;
    return !inner.empty() && std::all_of(inner.begin(), inner.end(), [&](const waf::Target& target) {
      // What none of the rules looks at is nothing that had to be covered.
      if (std::none_of(meant_[narrow].begin(), meant_[narrow].end(),
                       [&](std::uint32_t rule) { return looks_at(rules_, rule, target); }))
        return true;
      return std::any_of(outer.begin(), outer.end(), [&](const waf::Target& other) {
        if (other.variable != target.variable) return false;
        return other.select == waf::Target::Select::all || to_string(other) == to_string(target);
      });
    });
  }

  Findings& findings_;
  const waf::RuleSet& rules_;
  std::vector<Placed> placed_;
  std::vector<waf::Exclusion> exclusions_;
  std::vector<std::vector<std::uint32_t>> meant_;
};

// A set-up that says itself what the configuration says, behind it: what is written there holds.
void judge_set_up(Findings& findings, const waf::RuleSet& rules) {
  const std::vector<std::string_view> ours = waf::preset_names();
  for (const waf::Rule& rule : rules.rules) {
    if (!rule.is_action || rule.chained) continue;
    for (const waf::SetVar& set : rule.actions.setvars) {
      if (set.collection != waf::Variable::tx || set.kind != waf::SetVar::Kind::set || !set.key.is_literal()) continue;
      if (std::find(ours.begin(), ours.end(), set.key.literal()) == ours.end()) continue;
      findings.add(Severity::warning, "waf.set_up_overrides", "waf",
                   fmt::format("{}:{} sets tx.{} for every request", rules.files[rule.position.file],
                               rule.position.line, set.key.literal()),
                   "what waf and the routes say about it has no effect",
                   fmt::format("remove rule {} there, and set paranoia and thresholds here", rule.actions.id));
    }
  }
}

bool changes_levels(const Config& config) {
  const WafConfig standard;
  const auto differs = [&](const RouteWafConfig& r) {
    return r.paranoia || r.inbound_threshold || r.outbound_threshold;
  };
  return config.waf.paranoia != standard.paranoia || config.waf.inbound_threshold != standard.inbound_threshold ||
         config.waf.outbound_threshold != standard.outbound_threshold ||
         std::any_of(config.routes.begin(), config.routes.end(), [&](const RouteConfig& r) { return differs(r.waf); });
}

}  // namespace

void judge_exclusions(Findings& findings) {
  for (const Placed& placed : all_exclusions(findings.config())) {
    judge_end(findings, placed);
    judge_width(findings, placed);
  }
}

void judge_exclusions_on_rules(Findings& findings) {
  const Config& config = findings.config();
  std::vector<Placed> placed = all_exclusions(config);
  if (placed.empty() && !changes_levels(config)) return;
  const waf::ParseResult parsed = waf::parse_rules(waf::rule_sources(config.waf.rules));
  if (!parsed.errors.empty()) {
    findings.add(Severity::warning, "waf.exclusions_unchecked", "waf",
                 "the exclusions are not held against the rules: " + to_string(parsed.errors.front(), parsed.rules),
                 "one that means no rule, or more than it should, is not found",
                 "correct the rules, or run check where they are installed");
    return;
  }
  judge_set_up(findings, parsed.rules);
  RulesJudge(findings, parsed.rules, std::move(placed)).run();
}

}  // namespace gatehouse::app
