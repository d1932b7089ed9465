#pragma once
// A rule set in the engine, and everything that it says about one exchange, so that two ways of running can be compared
// to the last byte. Tests only.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "waf/differential/plan_cache_for_tests.h"
#include "waf/differential/traffic_for_tests.h"
#include "waf/engine/transaction.h"

namespace gatehouse::waf {

inline std::unique_ptr<const Program> compile_rules(const std::vector<RuleSource>& sources) {
  ParseResult parsed = parse_rules(sources);
  for (const Finding& error : parsed.errors) ADD_FAILURE() << to_string(error, parsed.rules);
  Program::Compiled compiled = Program::compile(std::move(parsed.rules));
  for (const Finding& error : compiled.errors) ADD_FAILURE() << to_string(error, compiled.rules);
  return std::move(compiled.program);
}

// What one run left behind.
struct Seen {
  struct Rule {
    std::uint64_t id = 0;
    std::string all;  // message, data, matches, flags
    bool operator==(const Rule&) const = default;
  };
  std::vector<Rule> fired;
  std::map<std::string, std::string> tx;
  std::string interruption;
  bool limit_reached = false;  // by some rule that fired
  bool operator==(const Seen&) const = default;

  std::set<std::uint64_t> ids() const {
    std::set<std::uint64_t> result;
    for (const Rule& rule : fired) result.insert(rule.id);
    return result;
  }
};

inline Seen seen_by(const Transaction& transaction, const Program& program) {
  Seen seen;
  for (const FiredRule& fired : transaction.fired()) {
    std::string all = fmt::format("phase {} logged {} limit {} msg '{}' data '{}'", fired.phase, fired.logged,
                                  fired.limit_reached, fired.message, fired.data);
    for (const RuleMatch& match : fired.matches)
      all += fmt::format("\n    {} {}+{} of '{}'", match.variable, match.offset, match.size, match.value);
    seen.fired.push_back({fired.id, std::move(all)});
    seen.limit_reached |= fired.limit_reached;
  }
  for (const std::string& name : program.tx_names()) {
    if (const std::string_view value = transaction.tx(name); !value.empty()) seen.tx[name] = value;
  }
  if (const Interruption* stopped = transaction.interruption())
    seen.interruption = fmt::format("{} by {}", stopped->status, stopped->rule_id);
  return seen;
}

// Where two runs differ first, for a reader.
inline std::string difference(const Seen& a, const Seen& b) {
  const auto [left, right] = std::mismatch(a.fired.begin(), a.fired.end(), b.fired.begin(), b.fired.end());
  const auto text = [](const std::vector<Seen::Rule>& list, auto at) {
    return at == list.end() ? std::string("nothing more") : fmt::format("{} {}", at->id, at->all);
  };
  if (left != a.fired.end() || right != b.fired.end()) {
    return fmt::format("rule {}:\n  {}\n  {}", left - a.fired.begin(), text(a.fired, left), text(b.fired, right));
  }
  for (const auto* side : {&a, &b}) {
    const Seen& other = side == &a ? b : a;
    for (const auto& [name, value] : side->tx) {
      const auto found = other.tx.find(name);
      const std::string theirs = found == other.tx.end() ? "unset" : found->second;
      if (theirs != value) return fmt::format("tx.{}: '{}' against '{}'", name, value, theirs);
    }
  }
  return fmt::format("interruption '{}' against '{}'", a.interruption, b.interruption);
}

}  // namespace gatehouse::waf
