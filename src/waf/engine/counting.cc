// The last phase as far as it outlasts the request. The Core Rule Set has a score of rules there that add up and log
// what the decision record has anyway; at the end of each request they would cost a fifth of its inspection.

#include <utility>

#include "waf/engine/transaction.h"

namespace gatehouse::waf {

void Transaction::run_counting() {
  constexpr std::size_t kPhase = Program::kPhases;
  const Program::Counting& counting = program_.counting();
  if (counting.places.empty() || (ip_key_.empty() && !counting.opens)) return;
  if (mode_ == EngineMode::off || kPhase <= allowed_until_) return;
  const MonotonicTime start = clock_.now();
  const std::span<const std::uint32_t> heads = program_.phase(kPhase);
  if (work_.plan_) work_.plan_->begin_phase(kPhase, scans_);
  ip_is_read_ = false;
  std::size_t from = 0;  // what stands before was jumped over
  for (const std::uint32_t place : counting.places) {
    const std::uint32_t head = heads[place];
    if (place < from || removed_[head] || !may_match(head)) continue;
    const std::uint64_t since = settings_.timed ? CycleClock::ticks() : 0;
    const Program::Step& step = program_.steps(kPhase)[place];
    const Next next = step.slot == kNoSlot || holds(step) ? evaluate(step, kPhase) : Next::rule;
    if (settings_.timed) settings_.counters->evaluated(head, CycleClock::ticks() - since);
    if (next == Next::end_phase) break;
    if (next == Next::jump) from = program_.rule(head).skip_until;
  }
  spent_[kPhase - 1] += clock_.now() - start;
}

bool Transaction::may_match(std::uint32_t head) {
  const MatchPlan* const plan = work_.plan_;
  if (plan == nullptr || !plan->is_gated(head)) return true;
  if (!scans_.is_current(plan->lane_of(head))) plan->scan(plan->lane_of(head), values_, work_.matches_, scans_);
  return scans_.hits().has(plan->slot_of(head));
}

}  // namespace gatehouse::waf
