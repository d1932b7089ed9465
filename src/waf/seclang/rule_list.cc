#include "waf/seclang/rule_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "waf/seclang/words.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kChangesMax = 10'000;
// What the changes may do in all: rules found, variables added, bytes of actions read again.
constexpr std::size_t kWorkMax = 2'000'000;
constexpr std::size_t kGuessesMax = 1000;

std::string where(const Position& position, const RuleSet& rules) {
  return fmt::format("{}:{}", rules.files[position.file], position.line);
}

std::string named(const Selector& selector) {
  switch (selector.by) {
    case Selector::By::ids: {
      const IdRange& first = selector.ids.front();
      if (selector.ids.size() > 1) return "any of these ids";
      return first.first == first.last ? fmt::format("the id {}", first.first)
                                       : fmt::format("an id from {} to {}", first.first, first.last);
    }
    case Selector::By::tag: return fmt::format("the tag {}", shown(selector.text));
    case Selector::By::msg: return fmt::format("the message {}", shown(selector.text));
  }
  return {};
}

}  // namespace

void RuleList::continue_chain(Draft& draft) {
  const auto forbid = [&](const std::optional<Position>& position, std::string_view what) {
    if (position) findings_.error(*position, fmt::format("only the first rule of a chain has {}", what));
  };
  forbid(draft.places.id, "an id");
  forbid(draft.places.phase, "a phase");
  forbid(draft.places.disruptive, "a disruptive action");
  forbid(draft.places.status, "a status");
  forbid(draft.places.skip, "skip or skipAfter");
  draft.actions.actions.id = 0;
  draft.actions.actions.disruptive = Disruptive::none;
  draft.actions.block = false;
  draft.actions.actions.phase = drafts_.back().actions.actions.phase;
}

void RuleList::add(Draft draft, bool is_whole) {
  const std::uint64_t id = draft.actions.actions.id;
  if (draft.rule.chained) {
    continue_chain(draft);
  } else if (id != 0) {
    const auto [known, is_new] = ids_.emplace(id, drafts_.size());
    if (!is_new) {
      findings_.error(*draft.places.id, fmt::format("the id {} is taken", id),
                      fmt::format("the other rule is at {}", where(drafts_[known->second].rule.position, rules_)));
    }
  } else if (is_whole && !draft.places.id) {
    findings_.error(draft.rule.position, "a rule needs an id", "add id:… to its actions");
  }
  if (!draft.rule.chained) {
    for (const std::string& tag : draft.actions.actions.tags) {
      auto& rules = tags_[tag];
      if (rules.empty() || rules.back() != drafts_.size()) rules.push_back(drafts_.size());
    }
    if (!draft.actions.msg.empty()) msgs_[draft.actions.msg].push_back(drafts_.size());
  }
  drafts_.push_back(std::move(draft));
}

void RuleList::set_defaults(ActionDraft defaults, Position position) {
  const unsigned phase = defaults.actions.phase;
  const auto [known, is_new] = defaults_.try_emplace(phase, Defaults{std::move(defaults), position});
  if (is_new) return;
  findings_.error(position, fmt::format("phase {} has its default actions already", phase),
                  fmt::format("they are at {}", where(known->second.position, rules_)));
}

void RuleList::keep(Change change) {
  if (changes_.size() < kChangesMax) {
    changes_.push_back(std::move(change));
  } else {
    findings_.error(change.position, fmt::format("more than {} removals and updates", kChangesMax));
  }
}

void RuleList::remove(Selector selector, Position position) {
  keep({Change::Kind::remove, std::move(selector), position, {}, {}, {}, {}});
}

void RuleList::add_targets(Selector selector, Position position, std::vector<Target> targets) {
  keep({Change::Kind::targets, std::move(selector), position, std::move(targets), {}, {}, {}});
}

void RuleList::add_actions(Selector selector, Position position, const Span& actions,
                           std::shared_ptr<const Source> source) {
  keep({Change::Kind::actions,
        std::move(selector),
        position,
        {},
        std::string(actions.text),
        {actions.offsets, actions.offsets + actions.text.size() + 1},
        std::move(source)});
}

std::size_t RuleList::chain_end(std::size_t head) const {
  std::size_t end = head + 1;
  while (end < drafts_.size() && drafts_[end].rule.chained) ++end;
  return end;
}

// The heads of the chains that are meant.
std::vector<std::size_t> RuleList::selected(const Selector& selector) const {
  std::vector<std::size_t> heads;
  for (const IdRange& range : selector.ids) {
    for (auto i = ids_.lower_bound(range.first); i != ids_.end() && i->first <= range.last; ++i)
      heads.push_back(i->second);
  }
  if (selector.by == Selector::By::ids) return heads;
  const auto& index = selector.by == Selector::By::tag ? tags_ : msgs_;
  const auto known = index.find(selector.text);
  return known == index.end() ? heads : known->second;
}

void RuleList::apply_to(std::size_t head, const Change& change) {
  Draft& draft = drafts_[head];
  switch (change.kind) {
    case Change::Kind::remove: std::fill(removed_.begin() + head, removed_.begin() + chain_end(head), true); return;
    case Change::Kind::targets:
      if (draft.rule.is_action) return;
      draft.rule.targets.insert(draft.rule.targets.end(), change.targets.begin(), change.targets.end());
      return;
    case Change::Kind::actions: {
      // What is wrong with them was said when they were read.
      ParseResult unheard;
      Findings silent(unheard, 0);
      parse_actions({change.actions, change.offsets.data()}, ActionContext::update, draft.actions,
                    {*change.source, silent});
      return;
    }
  }
}

void RuleList::apply(const Change& change) {
  const std::vector<std::size_t> heads = selected(change.selector);
  if (heads.empty()) {
    findings_.ignore(change.position, fmt::format("no rule has {}", named(change.selector)),
                     change.selector.by == Selector::By::ids ? "" : "it is compared as a whole");
  }
  work_ += heads.size() * (1 + change.targets.size() + change.actions.size());
  if (work_ > kWorkMax) {
    findings_.error(change.position, "the removals and updates so far change too much",
                    "name rules by a tag of their own");
    return;
  }
  for (const std::size_t head : heads) apply_to(head, change);
}

void RuleList::check_skip(const Draft& draft, std::size_t index) const {
  const std::string& name = draft.actions.actions.skip_after;
  if (name.empty()) return;
  const auto last = last_markers_.find(name);
  if (last != last_markers_.end() && last->second > index) return;
  const Position position = draft.places.skip.value_or(draft.rule.position);
  if (last != last_markers_.end()) {
    findings_.error(position, fmt::format("the marker {} stands before this rule", shown(name)),
                    "skipAfter only goes forward");
    return;
  }
  std::vector<std::string_view> names;
  for (const auto& [marker, before] : last_markers_) {
    if (names.size() < kGuessesMax) names.push_back(marker);
  }
  findings_.error(position, fmt::format("there is no marker {}", shown(name)), guess(name, names));
}

void RuleList::finish() {
  removed_.assign(drafts_.size(), false);
  for (const Change& change : changes_) {
    if (!findings_.full()) apply(change);
  }
  for (const Marker& marker : markers_) last_markers_[marker.name] = marker.before;
  std::vector<std::size_t> kept_before(drafts_.size() + 1, 0);
  rules_.rules.reserve(drafts_.size());
  for (std::size_t i = 0; i < drafts_.size(); ++i) {
    Draft& draft = drafts_[i];
    kept_before[i] = rules_.rules.size();
    if (removed_[i]) continue;
    if (!findings_.full()) check_skip(draft, i);
    const auto defaults = defaults_.find(draft.actions.actions.phase);
    draft.rule.actions = resolved(draft.actions, defaults == defaults_.end() ? nullptr : &defaults->second.draft);
    rules_.rules.push_back(std::move(draft.rule));
  }
  kept_before.back() = rules_.rules.size();
  for (Marker& marker : markers_) marker.before = kept_before[marker.before];
  rules_.markers = std::move(markers_);
}

}  // namespace gatehouse::waf
