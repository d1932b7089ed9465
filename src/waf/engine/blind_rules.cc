#include "waf/engine/blind_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "waf/engine/tune.h"

namespace gatehouse::waf {
namespace {

class Judge {
 public:
  explicit Judge(const RuleSet& rules) : rules_(rules) {
    for (const std::string_view name : preset_names()) set_.emplace(name);
    for (char digit = '0'; digit <= '9'; ++digit) set_.emplace(1, digit);  // by capture
    for (const Rule& rule : rules.rules) {
      opens_ip_ |= rule.actions.initcol_ip.has_value();
      for (const SetVar& set : rule.actions.setvars) {
        if (set.collection != Variable::tx || set.kind == SetVar::Kind::unset) continue;
        if (set.key.is_literal()) {
          set_.emplace(set.key.literal());
        } else {
          begins_.push_back(set.key.parts.front().literal);  // of a name that is made of values; empty: any
        }
      }
    }
  }

  std::vector<Finding> run() const {
    std::vector<Finding> found;
    std::size_t head = 0;
    for (std::size_t i = 0; i < rules_.rules.size(); ++i) {
      const Rule& rule = rules_.rules[i];
      if (!rule.chained) head = i;
      const Blindness* const why = blindness(rule);
      if (why == nullptr || is_unreached(head)) continue;
      found.push_back({rule.position, fmt::format("rule {}: {}", rules_.rules[head].actions.id, why->what),
                       std::string(why->instead)});
    }
    return found;
  }

 private:
  struct Blindness {
    std::string_view what, instead;
  };
  const Blindness* blindness(const Rule& rule) const noexcept {
    static constexpr Blindness kRbl{"@rbl finds nothing, for block lists are not asked",
                                    "ban addresses with bans.deny, or give them to @ipMatchFromFile"};
    static constexpr Blindness kGeo{"@geoLookup finds nothing, for there is no database",
                                    "name one: SecGeoLookupDb /usr/share/GeoIP/GeoLite2-Country.mmdb"};
    static constexpr Blindness kIp{"IP is empty, for no rule opens a record",
                                   "open one before: SecAction \"id:…,phase:1,pass,nolog,initcol:ip=%{REMOTE_ADDR}\""};
    if (rule.is_action) return nullptr;
    if (rule.op.kind == OperatorKind::rbl) return &kRbl;
    if (rule.op.kind == OperatorKind::geo_lookup && !rules_.settings.geo) return &kGeo;
    const bool looks_at_ip = std::any_of(rule.targets.begin(), rule.targets.end(),
                                         [](const Target& target) { return target.variable == Variable::ip; });
    return looks_at_ip && !opens_ip_ ? &kIp : nullptr;
  }

  bool may_be_set(const std::string& name) const {
    return set_.contains(name) || std::any_of(begins_.begin(), begins_.end(), [&](const std::string& begin) {
             return std::string_view(name).starts_with(begin);
           });
  }
  bool is_never_set(const Target& target) const {
    return target.variable == Variable::tx && target.select == Target::Select::key && !may_be_set(target.key);
  }

  template <class Each>
  bool each_link(std::size_t head, Each each) const {
    for (std::size_t i = head; i < rules_.rules.size() && (i == head || rules_.rules[i].chained); ++i) {
      if (!each(rules_.rules[i])) return false;
    }
    return true;
  }

  // What no value is there for does not match, negated or not.
  bool lacks_values(std::size_t head) const {
    return !each_link(head, [&](const Rule& rule) {
      return rule.is_action || !std::all_of(rule.targets.begin(), rule.targets.end(), [&](const Target& target) {
               return !target.count && is_never_set(target);
             });
    });
  }
  // `&TX:name "@eq 0"` all along.
  bool always_matches(std::size_t head) const {
    return each_link(head, [&](const Rule& rule) {
      if (rule.is_action) return true;
      return rule.op.kind == OperatorKind::eq && !rule.op.negated && rule.op.argument.literal() == "0" &&
             std::all_of(rule.targets.begin(), rule.targets.end(),
                         [&](const Target& target) { return target.count && is_never_set(target); });
    });
  }
  bool is_jumped_over(std::size_t head) const {
    for (std::size_t from = 0; from < head; ++from) {
      const Actions& actions = rules_.rules[from].actions;
      if (rules_.rules[from].chained || actions.skip_after.empty() || actions.phase != rules_.rules[head].actions.phase)
        continue;
      const auto to = std::find_if(rules_.markers.begin(), rules_.markers.end(), [&](const Marker& marker) {
        return marker.name == actions.skip_after && marker.before > from;
      });
      if (to != rules_.markers.end() && to->before > head && always_matches(from)) return true;
    }
    return false;
  }
  bool is_unreached(std::size_t head) const { return lacks_values(head) || is_jumped_over(head); }

  const RuleSet& rules_;
  std::set<std::string, std::less<>> set_;
  std::vector<std::string> begins_;
  bool opens_ip_ = false;
};

}  // namespace

std::vector<Finding> blind_rules(const RuleSet& rules) { return Judge(rules).run(); }

}  // namespace gatehouse::waf
