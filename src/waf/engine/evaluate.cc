// How a rule meets the values of a request.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "waf/engine/transaction.h"
#include "waf/operator/injection.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {
namespace {

bool compare(OperatorKind kind, std::int64_t value, std::int64_t argument) noexcept {
  switch (kind) {
    case OperatorKind::eq: return value == argument;
    case OperatorKind::ge: return value >= argument;
    case OperatorKind::gt: return value > argument;
    case OperatorKind::le: return value <= argument;
    case OperatorKind::lt: return value < argument;
    default: return false;
  }
}

}  // namespace

// What is timed of a request that is in the sample; of all others nothing is, and nothing is asked either.
struct Transaction::Timed {
  RuleStatistics::Counters& counters;
  std::uint64_t begin() const noexcept { return CycleClock::ticks(); }
  void evaluated(std::uint32_t head, std::uint64_t from) const noexcept {
    counters.evaluated(head, CycleClock::ticks() - from);
  }
  void scanned(std::uint64_t from) const noexcept { counters.spent(CostPart::scanning, CycleClock::ticks() - from); }
};
struct Transaction::Untimed {
  std::uint64_t begin() const noexcept { return 0; }
  void evaluated(std::uint32_t, std::uint64_t) const noexcept {}
  void scanned(std::uint64_t) const noexcept {}
};

std::string Transaction::full_name(const Candidate& candidate) {
  const std::string_view variable = name_of(candidate.variable);
  return candidate.has_name ? fmt::format("{}:{}", variable, candidate.name) : std::string(variable);
}

// Most rules that run for every request compare a number in TX: many of them fail, and the others set variables or
// jump. They take no part in the machinery below.
bool Transaction::holds(const Program::Step& step) const noexcept {
  const bool set = tx_.is_set(step.slot);
  if (!set && !step.count) return false;
  const std::int64_t number = step.count ? (set ? 1 : 0) : tx_.number(step.slot);
  return compare(step.kind, number, step.number) != step.negated;
}

// What `matched` does, for a rule that is nothing but a comparison that holds.
void Transaction::compared(const Program::Step& step) {
  const std::string_view text = tx_.text(step.slot);
  std::string_view value = "";
  if (step.count) {
    value = tx_.is_set(step.slot) ? "1" : "0";
  } else if (!text.empty()) {
    value = tx_.lasts(step.slot) ? text : keep(text);
  }
  last_match_ = {Variable::tx, program_.tx_names()[step.slot], value, true};
  matched_vars_.clear();
  if (step.sets) set_variables(program_.rule(step.head));
}

bool Transaction::matches_chain(std::uint32_t head, FiredRule& fired) {
  matched_vars_.clear();
  for (std::uint32_t at = head;; at = program_.rule(at).next) {
    matched_now_.clear();
    if (!matches(at, fired)) return false;
    std::swap(matched_vars_, matched_now_);
    if (program_.rule(at).next == 0) return true;
  }
}

bool Transaction::matches(std::uint32_t index, FiredRule& fired) {
  const CompiledRule& rule = program_.rule(index);
  // What a pattern that gave up would have captured is not known, and the rules behind it may ask for it.
  const bool known = !rule.source->chained || !fired.limit_reached;
  if (rule.source->is_action || !known) {
    set_variables(rule);
    control(rule);
    return true;
  }
  if (work_.plan_ && work_.plan_->is_gated(index)) return matches_hits(index, fired);
  bool any = false;
  for (const CompiledTarget& target : rule.targets) {
    if (target.count) {
      std::size_t count = 0;
      each_value(target, [&](const Candidate&) { ++count; });
      any |= test_count(rule, target, count, fired);
      continue;
    }
    // What captures and setvar change must not change under the operator's eyes.
    const bool moves =
        (target.variable == Variable::tx || target.variable == Variable::ip) &&
        (rule.source->actions.capture || !rule.setvars.empty() || !rule.expirevars.empty() || rule.initcol);
    each_value(target, [&](Candidate candidate) {
      if (is_excluded(rule, candidate)) return;
      if (moves) candidate.name = keep(candidate.name), candidate.value = keep(candidate.value);
      any |= test_value(rule, candidate, fired);
    });
  }
  return any;
}

// Only the values that the scans hit, in the order of the targets.
bool Transaction::matches_hits(std::uint32_t index, FiredRule& fired) {
  const CompiledRule& rule = program_.rule(index);
  bool any = false;
  const bool proven = work_.plan_->proves(index);
  const auto try_value = [&](Candidate candidate) {
    candidate.proven = proven;
    if (!is_excluded(rule, candidate)) any |= test_value(rule, candidate, fired);
  };
  for (const CompiledTarget& target : rule.targets) {
    const ValueSource source = source_of(target.variable, target.key);
    const bool keyed = target.variable != Variable::xml;
    for (std::size_t i = 0; i < source.count; ++i) {
      const std::vector<NameValue>& list = values_.list(source.lists[i]);
      for (const HitList::Hit& hit : scans_.hits().of(index, field_of(source.lists[i], source.names))) {
        const NameValue& value = list[hit.item & UINT32_MAX];
        if (keyed && !is_target(target, value.name)) continue;
        const std::string_view name = keyed ? value.name : std::string_view(target.key);
        try_value(Candidate{target.variable, name, source.names ? value.name : value.value, true, true});
      }
    }
    if (source.count > 0 || scans_.hits().of(index, field_of(target.variable)).empty()) continue;
    if (const auto& value = values_.single(target.variable))
      try_value(Candidate{target.variable, {}, *value, false, true});
  }
  return any;
}

template <class Visit>
void Transaction::each_tx(const CompiledTarget& target, Visit visit) {
  const std::span<const std::string> names = program_.tx_names();
  if (target.slot != kNoSlot) {
    if (tx_.is_set(target.slot)) visit(Candidate{Variable::tx, names[target.slot], tx_.text(target.slot), true});
    return;
  }
  const auto visit_slot = [&](TxSlot slot) {
    if (tx_.is_set(slot)) visit(Candidate{Variable::tx, names[slot], tx_.text(slot), true});
  };
  if (target.select == Target::Select::all) {
    for (TxSlot slot = 0; slot < tx_.size(); ++slot) visit_slot(slot);
  } else {
    std::for_each(target.slots.begin(), target.slots.end(), visit_slot);
  }
  for (std::size_t i = 0; i < tx_others_.places(); ++i) {
    const TxOthers::Variable* const other = tx_others_.at(i);
    if (other != nullptr && is_target(target, other->name))
      visit(Candidate{Variable::tx, other->name, other->value, true});
  }
}

template <class Visit>
void Transaction::each_value(const CompiledTarget& target, Visit visit) {
  const Variable variable = target.variable;
  const ValueSource source = source_of(variable, target.key);
  if (source.count > 0) {
    const bool keyed = variable != Variable::xml;
    for (std::size_t i = 0; i < source.count; ++i) {
      const std::vector<NameValue>& list = values_.list(source.lists[i]);
      for (std::size_t at = 0; at < list.size(); ++at) {
        const NameValue& value = list[at];
        if (keyed && !is_target(target, value.name)) continue;
        // What XML holds has no names of its own: it goes by what was asked for, `XML:/*` or `XML://@*`.
        const std::string_view name = keyed ? value.name : std::string_view(target.key);
        visit(Candidate{variable, name, source.names ? value.name : value.value, true, true});
      }
    }
    return;
  }
  const auto each_of = [&](const auto& list) {
    for (std::size_t at = 0; at < list.size(); ++at) {
      if (is_target(target, list[at].name)) visit(Candidate{variable, list[at].name, list[at].value, true});
    }
  };
  switch (variable) {
    case Variable::tx: return each_tx(target, visit);
    case Variable::ip: return each_of(ip());
    case Variable::geo: return each_of(geo_);
    case Variable::matched_vars: return each_of(matched_vars_);
    case Variable::matched_vars_names:
      for (std::size_t at = 0; at < matched_vars_.size(); ++at) {
        visit(Candidate{variable, matched_vars_[at].name, matched_vars_[at].name, true});
      }
      return;
    case Variable::matched_var:
      if (last_match_.value.data()) visit(Candidate{variable, {}, last_match_.value, false});
      return;
    case Variable::matched_var_name:
      if (last_match_.value.data()) visit(Candidate{variable, {}, keep(full_name(last_match_)), false});
      return;
    case Variable::duration: {
      const auto spent = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - began_);
      visit(Candidate{variable, {}, keep(std::to_string(spent.count())), false});
      return;
    }
    case Variable::args_combined_size: {
      std::size_t bytes = 0;
      for (const ValueList list : {ValueList::args_get, ValueList::args_post}) {
        for (const NameValue& value : values_.list(list)) bytes += value.name.size() + value.value.size();
      }
      visit(Candidate{variable, {}, keep(std::to_string(bytes)), false});
      return;
    }
    default:
      if (const auto& value = values_.single(variable)) {
        visit(Candidate{variable, {}, *value, false, true});
      }
  }
}

// Whether a value of this name is meant; `unsure` when the target's pattern gave up on it.
bool Transaction::names(const CompiledTarget& target, std::string_view name, bool unsure) {
  if (target.select != Target::Select::regex) return target.names(name);
  if (!target.pattern) return false;
  const Regex::Outcome outcome = regexes_.match(*target.pattern, name, nullptr, RegexBudget::Purpose::verdict);
  return outcome == Regex::Outcome::limit_reached ? unsure : outcome == Regex::Outcome::match;
}

// A name that nobody can afford to look at is one to inspect, unless the rule lets something off.
bool Transaction::is_target(const CompiledTarget& target, std::string_view name) {
  return names(target, name, !program_.rule(current_).opens);
}

bool Transaction::is_excluded(const CompiledRule& rule, const Candidate& candidate) {
  if (rule.exclusions.empty() && removed_targets_.empty()) [[likely]]
    return false;
  const auto means = [&](const CompiledTarget& target) {
    return target.variable == candidate.variable && (!candidate.has_name || names(target, candidate.name, false));
  };
  if (std::any_of(rule.exclusions.begin(), rule.exclusions.end(), means)) return true;
  return std::any_of(removed_targets_.begin(), removed_targets_.end(), [&](const RemovedTarget* removed) {
    return means(removed->target) && std::binary_search(removed->rules.begin(), removed->rules.end(), current_);
  });
}

// With multiMatch the operator sees the value before the transformations and after each that changed it.
bool Transaction::test_value(const CompiledRule& rule, const Candidate& candidate, FiredRule& fired) {
  std::string_view value = candidate.value;
  const bool each_step = rule.source->actions.multi_match;
  bool any = each_step && test_operator(rule, candidate, value, fired);
  std::size_t into = 0;
  for (const Transformation transformation : rule.transformations) {
    if (!transform(transformation, value, work_.transformed_[into])) continue;
    value = work_.transformed_[into];
    into ^= 1;
    if (each_step) any |= test_operator(rule, candidate, value, fired);
  }
  return each_step ? any : test_operator(rule, candidate, value, fired);
}

// A number that is compared with a number needs no digits, as long as it does not match.
bool Transaction::test_count(const CompiledRule& rule, const CompiledTarget& target, std::size_t count,
                             FiredRule& fired) {
  const bool compares = is_numeric(rule.op.kind) && rule.op.argument.is_literal() && rule.transformations.empty();
  if (compares && compare(rule.op.kind, static_cast<std::int64_t>(count), rule.op.number) == rule.op.negated)
    return false;
  const std::string text = std::to_string(count);
  return test_value(rule, {target.variable, target.key, text, !target.key.empty()}, fired);
}

bool Transaction::test_operator(const CompiledRule& rule, const Candidate& candidate, std::string_view value,
                                FiredRule& fired) {
  Match match{0, value.size()};
  if (!apply_operator(rule, candidate, value, match, fired)) return false;
  matched(rule, candidate, value, match, fired);
  return true;
}

bool Transaction::apply_operator(const CompiledRule& rule, const Candidate& candidate, std::string_view value,
                                 Match& match, FiredRule& fired) {
  const CompiledOperator& op = rule.op;
  const bool captures = rule.source->actions.capture;
  const auto verdict = [&](std::optional<Match> found) {
    if (found) match = *found;
    if (found && captures && !op.negated) capture(0, value.substr(found->offset, found->size));
    return found.has_value() != op.negated;
  };
  std::string expanded;
  std::string_view argument = op.argument.literal();
  if (op.argument.slot() != kNoSlot) {
    argument = tx_.text(op.argument.slot()).substr(0, kTextBytesMax);
  } else if (!op.argument.is_literal()) {
    argument = expanded = expand(op.argument);
  }

  if (is_numeric(op.kind)) {
    const std::int64_t number = op.argument.is_literal() ? op.number : number_of(argument);
    return compare(op.kind, number_of(value), number) != op.negated;
  }
  switch (op.kind) {
    case OperatorKind::rx: return apply_regex(rule, argument, value, candidate.proven, match, fired);
    case OperatorKind::pm:
    case OperatorKind::pm_from_file: {
      const auto found = op.phrases->find(value);
      return verdict(found ? std::optional(found->match) : std::nullopt);
    }
    case OperatorKind::validate_byte_range: return verdict(validate_byte_range(*op.bytes, value));
    case OperatorKind::ip_match: return verdict(op.addresses->matches(value) ? std::optional(match) : std::nullopt);
    case OperatorKind::detect_sqli: {
      if (candidate.proven && fired.matches.size() == kMatchesMax) return true;  // nobody asks what it looks like
      const auto fingerprint = work_.matches_.sqli().detect(value);
      if (fingerprint && captures) capture(0, fingerprint->view());
      return fingerprint.has_value() != op.negated;
    }
    case OperatorKind::detect_xss:
      return verdict(candidate.proven || detect_xss(value) ? std::optional(match) : std::nullopt);
    case OperatorKind::geo_lookup: return locate(value) != op.negated;
    case OperatorKind::rbl: return op.negated;  // block lists are not asked: docs/decisions/0011
    default: return verdict(match_textual(op.kind, argument, value));
  }
}

bool Transaction::apply_regex(const CompiledRule& rule, std::string_view argument, std::string_view value, bool proven,
                              Match& match, FiredRule& fired) {
  if (proven && fired.matches.size() == kMatchesMax) return true;  // nobody asks where
  const CompiledOperator& op = rule.op;
  std::optional<Regex> made;
  if (!op.regex) {
    auto compiled = Regex::compile(argument);
    if (!compiled) return op.negated;
    made.emplace(std::move(*compiled));
  }
  Captures groups{};
  const Regex::Outcome outcome = regexes_.match(op.regex ? *op.regex : *made, value, &groups,
                                                proven ? RegexBudget::Purpose::place : RegexBudget::Purpose::verdict);
  if (outcome == Regex::Outcome::no_match) return op.negated;
  if (outcome == Regex::Outcome::limit_reached) {
    // A rule that lets something off does not do so by giving up.
    if (!proven && program_.rule(current_).opens) return false;
    fired.limit_reached = true;
    groups.front() = match;
  }
  match = groups.front().value_or(match);
  if (rule.source->actions.capture && !op.negated) {
    for (std::size_t i = 0; i < kCapturesMax; ++i) {
      if (groups[i])
        capture(i, value.substr(groups[i]->offset, groups[i]->size));
      else
        tx_.unset(static_cast<TxSlot>(i));
    }
  }
  return !op.negated || outcome == Regex::Outcome::limit_reached;
}

void Transaction::matched(const CompiledRule& rule, const Candidate& candidate, std::string_view value, Match match,
                          FiredRule& fired) {
  last_match_ = candidate;
  if (candidate.variable == Variable::tx || candidate.variable == Variable::ip)
    last_match_.name = keep(candidate.name);                                     // they move
  const bool lasts = candidate.lasts && value.data() == candidate.value.data();  // no transformation made it
  last_match_.value = value.empty() ? std::string_view("") : lasts ? value : keep(value);
  if (rule.is_read_behind) matched_now_.push_back({keep(full_name(candidate)), last_match_.value});
  if (program_.rule(current_).source->actions.log && fired.matches.size() < kMatchesMax) {
    // The bytes around the match, when the value is long.
    const std::size_t from =
        value.size() <= kEvidenceBytesMax ? 0 : std::min(match.offset, value.size() - kEvidenceBytesMax);
    RuleMatch kept{full_name(candidate), std::string(value.substr(from, kEvidenceBytesMax)), match.offset - from,
                   match.size, rule.next == 0};
    kept.size = std::min(kept.size, kept.value.size() - kept.offset);
    fired.matches.push_back(std::move(kept));
  }
  set_variables(rule);
  control(rule);
}

bool Transaction::locate(std::string_view address) {
  geo_.clear();
  const GeoDatabase* const database = program_.geo();
  const auto parsed = database != nullptr ? IpAddress::parse(address) : std::nullopt;
  std::vector<GeoValue> values;
  if (!parsed || !database->find(*parsed, values)) return false;
  for (const GeoValue& value : values) geo_.push_back({value.name, keep(value.value)});
  return true;
}

void Transaction::capture(std::size_t number, std::string_view text) { tx_.set(static_cast<TxSlot>(number), text); }

// The position of the next rule that must be looked at. A lane is scanned when the first of its rules is reached.
template <class Timing>
std::size_t Transaction::next_rule(std::size_t phase, std::size_t at, Timing timing) {
  const std::span<const Program::Step> steps = program_.steps(phase);
  for (; at < steps.size(); ++at) {
    if (work_.plan_) {
      at = scans_.next_candidate(at);
      if (at >= steps.size()) break;
      const MatchPlan& plan = *work_.plan_;
      const std::uint32_t head = steps[at].head;
      if (plan.is_gated(head) && !removed_[head]) {
        if (const Lane lane = plan.lane_of(head); !scans_.is_current(lane)) {
          const std::uint64_t from = timing.begin();
          plan.scan(lane, values_, work_.matches_, scans_);
          timing.scanned(from);
        }
        if (!scans_.hits().has(plan.slot_of(head))) continue;
      }
    }
    if (!removed_[steps[at].head]) break;
  }
  return at;
}

template <class Timing>
void Transaction::walk(std::size_t phase, Timing timing) {
  const std::span<const Program::Step> steps = program_.steps(phase);
  for (std::size_t at = 0; mode_ != EngineMode::off && phase > allowed_until_;) {
    at = next_rule(phase, at, timing);
    if (at >= steps.size()) break;
    const Program::Step& step = steps[at];
    ++at;
    const std::uint64_t from = timing.begin();
    Next next = Next::rule;
    const bool compares = step.slot != kNoSlot;
    if (!compares || holds(step)) next = evaluate(step, phase);
    timing.evaluated(step.head, from);
    if (next == Next::end_phase) break;
    if (next == Next::jump) at = step.skip_until;
  }
}

// Of a comparison, one that holds.
Transaction::Next Transaction::evaluate(const Program::Step& step, std::size_t phase) {
  current_ = step.head;
  if (step.whole && removed_targets_.empty()) {
    compared(step);
    if (settings_.counters != nullptr) settings_.counters->hit(step.head);
    if (fired_.size() < kFiredMax) {
      FiredRule& fired = fired_.emplace_back();
      fired.index = step.head;
      fired.id = step.id;
      fired.phase = static_cast<std::uint8_t>(phase);
    }
    return step.skip_until > 0 ? Next::jump : Next::rule;
  }
  trial_.index = step.head;
  trial_.id = step.id;
  trial_.phase = static_cast<std::uint8_t>(phase);
  trial_.limit_reached = false;
  trial_.matches.clear();
  return matches_chain(step.head, trial_) ? finish(step.head, trial_) : Next::rule;
}

const Interruption* Transaction::run(std::size_t phase) {
  const MonotonicTime start = clock_.now();
  if (work_.plan_) work_.plan_->begin_phase(phase, scans_);
  ip_is_read_ = false;
  if (settings_.timed) {
    walk(phase, Timed{*settings_.counters});
  } else {
    walk(phase, Untimed{});
  }
  spent_[phase - 1] += clock_.now() - start;
  return interruption();
}

}  // namespace gatehouse::waf
