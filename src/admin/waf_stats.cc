#include "admin/waf_stats.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <tuple>

#include "admin/members.h"

namespace gatehouse::admin {
namespace {

using By = WafStatsQuery::By;
using codec::JsonWriter;

bool is_listed(const WafRuleView& rule, const WafStatsQuery& query) noexcept {
  if (query.never) return rule.in_force && rule.hits == 0 && (rule.logs || query.all);
  if (query.by == By::cost) return rule.evaluations > 0;
  return rule.hits > 0 && (rule.logs || query.all);
}

std::vector<const WafRuleView*> listed(const WafStatsView& stats, const WafStatsQuery& query) {
  std::vector<const WafRuleView*> rules;
  for (const WafRuleView& rule : stats.rules) {
    if (is_listed(rule, query)) rules.push_back(&rule);
  }
  // The greatest first, and among equals by id: the order is always the same.
  std::sort(rules.begin(), rules.end(), [&](const WafRuleView* a, const WafRuleView* b) {
    const auto key = [&](const WafRuleView& rule) {
      return query.by == By::cost ? static_cast<std::uint64_t>(rule.spent.count()) : rule.hits;
    };
    return std::tuple(key(*b), a->rule) < std::tuple(key(*a), b->rule);
  });
  rules.resize(std::min(rules.size(), query.limit));
  return rules;
}

std::int64_t mean(std::chrono::nanoseconds spent, std::uint64_t times) noexcept {
  return times == 0 ? 0 : spent.count() / static_cast<std::int64_t>(times);
}

// Of all the time that was taken, to four digits.
double share(std::chrono::nanoseconds spent, std::chrono::nanoseconds total) noexcept {
  if (total.count() == 0) return 0;
  return std::round(1e4 * static_cast<double>(spent.count()) / static_cast<double>(total.count())) / 1e4;
}

void write_rule(JsonWriter& json, const WafRuleView& rule, std::chrono::nanoseconds total) {
  Members one(json);
  one.number("rule", rule.rule);
  one.text("message", rule.message);
  one.time("since", rule.since);
  one.boolean("in_force", rule.in_force);
  if (rule.in_force) {
    one.text("file", rule.file);
    one.number("line", rule.line);
    one.number("phase", static_cast<unsigned>(rule.phase));
    one.number("paranoia", static_cast<unsigned>(rule.paranoia));
    one.boolean("logs", rule.logs);
  }
  one.number("hits", rule.hits);
  one.number("evaluations", rule.evaluations);
  one.number("mean_ns", mean(rule.spent, rule.evaluations));
  one.number("worst_ns", rule.worst.count());
  one.number("share", share(rule.spent, total));
}

void write_parts(JsonWriter& json, const WafStatsView& stats, std::chrono::nanoseconds rules,
                 std::chrono::nanoseconds total) {
  const auto write = [&](std::string_view name, std::chrono::nanoseconds spent, std::optional<WafPartView> part) {
    Members one(json);
    one.text("part", name);
    one.number("mean_ns", mean(spent, stats.timed));
    if (part) one.number("worst_ns", part->worst.count());
    one.number("share", share(spent, total));
  };
  json.raw("[");
  for (const WafPartView& part : stats.parts) {
    write(part.name, part.spent, part);
    json.raw(",");
  }
  write("rules", rules, std::nullopt);
  json.raw("]");
}

}  // namespace

Status read_parameter(std::string_view name, std::string_view value, WafStatsQuery& query) {
  const auto is_flag = [&](bool& flag) {
    flag = value == "true";
    return flag || value == "false";
  };
  bool good = true;
  if (name == "by") {
    query.by = value == "cost" ? By::cost : By::hits;
    good = value == "cost" || value == "hits";
  } else if (name == "limit") {
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), query.limit);
    good = error == std::errc() && end == value.data() + value.size() && query.limit != 0;
  } else if (name == "never") {
    good = is_flag(query.never);
  } else if (name == "all") {
    good = is_flag(query.all);
  } else {
    return fail(ErrorCode::invalid, fmt::format("'{}' is no parameter: by, limit, never and all are.", name),
                ErrorSource::downstream);
  }
  if (good) return {};
  return fail(ErrorCode::invalid, fmt::format("'{}' is no value for '{}'.", value, name), ErrorSource::downstream);
}

std::string to_json(const WafStatsView& stats, const WafStatsQuery& query) {
  std::chrono::nanoseconds of_rules{}, total{};
  std::size_t in_force = 0, finding = 0, never = 0;
  for (const WafRuleView& rule : stats.rules) {
    of_rules += rule.spent;
    if (!rule.in_force) continue;
    ++in_force;
    finding += rule.logs ? 1 : 0;
    never += rule.logs && rule.hits == 0 ? 1 : 0;
  }
  total = of_rules;
  for (const WafPartView& part : stats.parts) total += part.spent;

  std::string out;
  JsonWriter json(out);
  {
    Members members(json);
    members.time("since", stats.since);
    members.number("requests", stats.requests);
    members.number("timed", stats.timed);
    members.number("one_in", stats.one_in);
    members.number("interrupted", stats.interrupted);
    members.number("mean_ns", mean(total, stats.timed));
    members.name("parts");
    write_parts(json, stats, of_rules, total);
    members.number("in_force", in_force);
    members.number("log", finding);
    members.number("never_matched", never);
    members.name("rules");
    write_list(json, listed(stats, query), [&](const WafRuleView* rule) { write_rule(json, *rule, total); });
  }
  json.flush();
  return out;
}

}  // namespace gatehouse::admin
