#pragma once
// The working memory with which one thread runs transactions of one rule set: what the matchers scan with, and what is
// only needed while a phase runs.
//
// Thread safety: one owner, a shard. Transactions of one workspace take turns phase by phase; one may wait for its body
// while others run. Invariant: outlives its transactions; the program and the plan outlive it.

#include <array>
#include <string>

#include "waf/engine/rule_engine.h"

namespace gatehouse::waf {

class Workspace {
 public:
  // Without a plan every rule looks at every value: slow, and what the plan is checked against.
  Workspace(const Program& program, const MatchPlan* plan);
  explicit Workspace(const RuleEngine& engine) : Workspace(*engine.program, engine.plan.get()) {}
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  const Program& program() const noexcept { return program_; }
  MatchScratch& matches() noexcept { return matches_; }  // to measure with

 private:
  friend class Transaction;

  const Program& program_;
  const MatchPlan* plan_;
  MatchScratch matches_;
  std::array<std::string, 2> transformed_;  // the value before and after a step
};

}  // namespace gatehouse::waf
