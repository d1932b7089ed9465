#include "waf/exclusion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "waf/characters.h"
#include "waf/names.h"
#include "waf/operator/regex.h"
#include "waf/seclang/target.h"

namespace gatehouse::waf {
namespace {

constexpr std::string_view kElement = "[]";

// The standing of an argument: as ModSecurity names the collections, which an exclusion of ARGS doesn't cover.
constexpr std::array kArguments{Variable::args,           Variable::args_names, Variable::args_get,
                                Variable::args_get_names, Variable::args_post,  Variable::args_post_names};

Result<Regex> key_pattern(const Target& target) { return Regex::compile("(?i)" + target.key); }

// Of which names a key by pattern is one that the other key means.
bool overlap(const Target& looked_at, const Target& excluded) {
  if (looked_at.variable != excluded.variable) return false;
  using Select = Target::Select;
  if (looked_at.select == Select::all || excluded.select == Select::all) return true;
  if (looked_at.select == Select::key && excluded.select == Select::key) return same_name(looked_at.key, excluded.key);
  if (looked_at.select == Select::regex && excluded.select == Select::regex) return true;  // nobody can tell
  const bool pattern_is_ours = excluded.select == Select::regex;
  const auto pattern = key_pattern(pattern_is_ours ? excluded : looked_at);
  return pattern && pattern->match(pattern_is_ours ? looked_at.key : excluded.key) == Regex::Outcome::match;
}

// `items[].comment` as the JSON processor names what it means; anchored by what no line break in a name can satisfy.
Target json_target(Variable variable, std::string_view name) {
  Target target{variable, Target::Select::key};
  target.key = "json";
  if (!name.starts_with(kElement)) target.key += '.';
  if (name.find(kElement) == std::string_view::npos) {
    target.key += lower(name);
    return target;
  }
  target.select = Target::Select::regex;
  target.key = name.starts_with(kElement) ? "\\Ajson" : "\\Ajson\\.";
  for (std::size_t at = 0; at < name.size();) {
    if (name.substr(at).starts_with(kElement)) {
      target.key += "\\.array_[0-9]+";
      at += kElement.size();
      continue;
    }
    const char c = name[at++];
    const bool plain = is_alphanumeric(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
    if (!plain) target.key += '\\';
    target.key += c;
  }
  target.key += "\\z";
  return target;
}

}  // namespace

tl::expected<Target, Finding> parse_target(std::string_view text) {
  std::vector<std::uint32_t> offsets(text.size() + 1);
  std::iota(offsets.begin(), offsets.end(), 0u);
  ParseResult result;
  Findings findings(result, 1);
  const Source source(0, "target", text);
  const auto target = parse_one_target({text, offsets.data()}, {source, findings});
  if (!result.errors.empty()) return tl::unexpected(std::move(result.errors.front()));
  if (!target) return tl::unexpected(Finding{{}, "not a target", "ARGS:comment"});
  if (target->select == Target::Select::regex) {
    if (const auto pattern = Regex::compile(target->key); !pattern)
      return tl::unexpected(Finding{{}, pattern.error().message, {}});
  }
  return *target;
}

std::string to_string(const Target& target) {
  const std::string_view variable = name_of(target.variable);
  switch (target.select) {
    case Target::Select::all: return std::string(variable);
    case Target::Select::key: return fmt::format("{}:{}", variable, target.key);
    case Target::Select::regex: return fmt::format("{}:/{}/", variable, target.key);
  }
  return {};
}

std::vector<Target> targets_of_argument(std::string_view name) {
  std::vector<Target> targets;
  for (const Variable variable : kArguments) {
    Target plain{variable, Target::Select::key};
    plain.key = lower(name);
    targets.push_back(std::move(plain));
    targets.push_back(json_target(variable, name));
  }
  return targets;
}

std::string argument_of(std::string_view name) {
  if (name != "json" && !name.starts_with("json.")) return std::string(name);
  name.remove_prefix(std::min<std::size_t>(name.size(), 4));  // each step begins with its dot
  std::string result;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('.', 1), name.size());
    std::string_view step = name.substr(1, end - 1);
    name.remove_prefix(end);
    constexpr std::string_view kArray = "array_";
    if (step.starts_with(kArray) && step.size() > kArray.size() &&
        step.find_first_not_of("0123456789", kArray.size()) == std::string_view::npos) {
      result += kElement;
      continue;
    }
    if (!result.empty()) result += '.';
    result += step;
  }
  return result;
}

std::vector<std::uint32_t> rules_meant(const RuleSet& rules, const Exclusion& exclusion) {
  const auto is_meant = [&](const Actions& actions) {
    if (exclusion.ids.empty() && exclusion.tags.empty()) return true;
    const auto holds = [&](const IdRange& range) { return actions.id >= range.first && actions.id <= range.last; };
    if (std::any_of(exclusion.ids.begin(), exclusion.ids.end(), holds)) return true;
    return std::any_of(exclusion.tags.begin(), exclusion.tags.end(), [&](const std::string& tag) {
      return std::find(actions.tags.begin(), actions.tags.end(), tag) != actions.tags.end();
    });
  };
  std::vector<std::uint32_t> meant;
  for (std::uint32_t i = 0; i < rules.rules.size(); ++i) {
    if (!rules.rules[i].chained && is_meant(rules.rules[i].actions)) meant.push_back(i);
  }
  return meant;
}

bool looks_at(const RuleSet& rules, std::uint32_t head, const Target& target) {
  for (std::uint32_t i = head; i < rules.rules.size() && (i == head || rules.rules[i].chained); ++i) {
    for (const Target& looked_at : rules.rules[i].targets) {
      if (!looked_at.exclude && !looked_at.count && overlap(looked_at, target)) return true;
    }
  }
  return false;
}

}  // namespace gatehouse::waf
