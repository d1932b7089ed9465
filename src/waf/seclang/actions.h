#pragma once
// The action list of a rule: `id:1,phase:2,deny,t:none,msg:'…'`. Actions are applied one after the other to a draft, so
// that SecRuleUpdateActionById is the same list applied to a rule that is there already.

#include <cstdint>
#include <optional>
#include <vector>

#include "waf/rule.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

// A rule's actions as written, before the default actions of its phase are mixed in.
struct ActionDraft {
  Actions actions;           // of `transformations` only the rule's own ones, after its last t:none
  bool no_defaults = false;  // t:none was among them: the default transformations don't apply
  bool block = false;        // as the phase's default says
  bool chain = false;        // the next rule belongs to this one
  bool has_phase = false;
  bool has_disruptive = false;  // `block` included
  std::string msg;              // as written, macros included: SecRuleRemoveByMsg compares it
  std::optional<bool> log, audit_log;
  std::optional<std::uint16_t> status;
};

enum class ActionContext : std::uint8_t { rule, defaults, update };

// Where the actions stood that not every rule may have, for the errors about them.
struct ActionPlaces {
  std::optional<Position> id, phase, disruptive, chain, skip, status;
};

ActionPlaces parse_actions(const Span& span, ActionContext context, ActionDraft& draft, const Place& place);

// What the draft means in a phase with these defaults; `defaults` may be null.
Actions resolved(const ActionDraft& draft, const ActionDraft* defaults);

// `200003`, `911000-911999`, several separated by blanks or commas; merged. Empty after an error.
std::vector<IdRange> parse_ids(const Span& span, const Place& place);

// Sorted, without overlaps.
std::vector<IdRange> merged(std::vector<IdRange> ids);

}  // namespace gatehouse::waf
