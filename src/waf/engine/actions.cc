// What a rule that matched does to the transaction.

#include <algorithm>

#include "waf/engine/transaction.h"
#include "waf/names.h"

namespace gatehouse::waf {

// --- TX and IP -------------------------------------------------------------------------------------------------------

void Transaction::set_variables(const CompiledRule& rule) {
  // In front, so that a rule can begin to count in the record that it opens.
  if (rule.initcol && settings_.collections != nullptr) {
    ip_key_ = expand(*rule.initcol);
    ip_.clear();
    ip_is_read_ = false;
  }
  for (const CompiledSetVar& set : rule.setvars) this->set(set);
  for (const CompiledExpireVar& expire : rule.expirevars) {
    if (ip_key_.empty()) break;
    const std::chrono::seconds after(number_of(expand(expire.seconds)));
    settings_.collections->expire(ip_key_, lower(expand(expire.key)), after, ip_);
    ip_is_read_ = true;
  }
}

// Others may change the record at any time. What they did is seen from one phase to the next, and with each change.
const PersistentCollections::Record& Transaction::ip() {
  if (!ip_is_read_ && !ip_key_.empty()) settings_.collections->read(ip_key_, ip_);
  ip_is_read_ = true;
  return ip_;
}

void Transaction::set(const CompiledSetVar& set) {
  std::string key;
  TxSlot slot = set.slot;
  if (slot == kNoSlot) {
    key = lower(expand(set.key));
    if (set.collection == Variable::tx) slot = program_.slot_of(key);
  }
  if (slot != kNoSlot && set.kind == SetVar::Kind::set && set.level == 0 && set.value.is_literal()) {
    tx_.set_lasting(slot, set.value.literal(), set.number);
    return;
  }
  const bool unset = set.kind == SetVar::Kind::unset;
  if (slot != kNoSlot) {
    if (unset) return tx_.unset(slot);
    const std::string by = expand(set.value);
    if (set.level != 0) note_score(set, number_of(by));
    tx_.set(slot, changed_value(set.kind, tx_.text(slot), by));
    return;
  }
  if (set.collection == Variable::ip) {
    if (ip_key_.empty()) return;  // no record without initcol
    const std::uint64_t seconds = program_.source().settings.collection_timeout_seconds.value_or(3600);
    const std::chrono::seconds timeout(static_cast<std::int64_t>(std::min<std::uint64_t>(seconds, INT64_MAX)));
    const NamedBy named_by = set.key.is_literal() ? NamedBy::rule : NamedBy::request;
    settings_.collections->change(ip_key_, set.kind, key, named_by, unset ? std::string() : expand(set.value), timeout,
                                  ip_);
    ip_is_read_ = true;
    return;
  }
  if (unset) return tx_others_.unset(key);
  std::string value = changed_value(set.kind, tx_others_.text(key), expand(set.value));
  tx_others_.set(std::move(key), std::move(value));
}

// Rules about the answer add to a sum of its own. Those of version 3 add the same to the request's as well, which has
// been judged by then.
void Transaction::note_score(const CompiledSetVar& set, std::int64_t added) {
  if (set.outbound != (program_.rule(current_).source->actions.phase >= 3)) return;
  if (score_.head != current_) score_ = {current_, 0, set.level};
  score_.added += added;
}

std::string_view Transaction::tx(std::string_view lower_name) const noexcept {
  const TxSlot slot = program_.slot_of(lower_name);
  return slot != kNoSlot ? tx_.text(slot) : tx_others_.text(lower_name);
}

// --- macros ----------------------------------------------------------------------------------------------------------

std::string Transaction::expand(const Text& text) {
  if (text.is_literal()) return std::string(text.literal());
  std::string out;
  for (const TextPart& part : text.parts) {
    if (part.variable) {
      append_macro(part, out);
    } else {
      out += part.literal;
    }
    if (out.size() > kTextBytesMax) {
      out.resize(kTextBytesMax);
      break;
    }
  }
  return out;
}

void Transaction::append_macro(const TextPart& part, std::string& out) {
  const Actions& actions = program_.rule(current_).source->actions;
  switch (*part.variable) {
    case Variable::tx:
      if (part.slot != kNoSlot) {
        out += tx_.text(part.slot);
      } else {
        out += tx(part.key);
      }
      return;
    case Variable::matched_var: out.append(last_match_.value.substr(0, kTextBytesMax)); return;
    case Variable::matched_var_name: out += full_name(last_match_); return;
    case Variable::rule:
      if (part.key == "id") out += std::to_string(actions.id);
      if (part.key == "msg" && !program_.rule(current_).msg.parts.empty()) out += program_.rule(current_).msg.literal();
      return;
    case Variable::ip:
      for (const KeptVariable& entry : ip()) {
        if (entry.name == part.key) out += entry.value;
      }
      return;
    case Variable::geo:
      for (const NameValue& entry : geo_) {
        if (entry.name == part.key) out += entry.value;
      }
      return;
    default: break;
  }
  const ValueSource source = source_of(*part.variable);
  if (source.count == 0) {
    if (const auto& value = values_.single(*part.variable)) out += *value;
    return;
  }
  for (std::size_t i = 0; i < source.count; ++i) {
    for (const NameValue& value : values_.list(source.lists[i])) {
      if (lower(value.name) != part.key) continue;
      out += source.names ? value.name : value.value;
      return;
    }
  }
}

// --- ctl -------------------------------------------------------------------------------------------------------------

void Transaction::control(const CompiledRule& rule) {
  for (const CompiledCtl& ctl : rule.ctls) {
    const auto is = [&](std::string_view value) { return same_name(ctl.source->value, value); };
    switch (ctl.source->kind) {
      case Ctl::Kind::rule_engine: {
        mode_ = is("on") ? EngineMode::on : is("off") ? EngineMode::off : EngineMode::detection_only;
        break;
      }
      case Ctl::Kind::request_body_access: body_access_ = is("on"); break;
      case Ctl::Kind::force_request_body_variable: force_body_variable_ = is("on"); break;
      case Ctl::Kind::request_body_processor: forced_processor_ = processor_named(ctl.source->value); break;
      case Ctl::Kind::rule_remove_by_id:
      case Ctl::Kind::rule_remove_by_tag:
        for (const std::uint32_t removed : ctl.removed.rules) removed_[removed] = true;
        break;
      case Ctl::Kind::rule_remove_target_by_id:
      case Ctl::Kind::rule_remove_target_by_tag: removed_targets_.push_back(&ctl.removed); break;
      case Ctl::Kind::audit_engine:
      case Ctl::Kind::audit_log_parts: break;  // the decision record is kept in any case
    }
  }
}

// --- after the whole chain matched -----------------------------------------------------------------------------------

Transaction::Next Transaction::finish(std::uint32_t head, FiredRule& fired) {
  const CompiledRule& rule = program_.rule(head);
  const Actions& actions = rule.source->actions;
  if (settings_.counters != nullptr) settings_.counters->hit(head);
  fired.logged = actions.log;
  const bool scored = score_.head == head;
  fired.score = scored ? static_cast<std::int32_t>(std::clamp<std::int64_t>(score_.added, INT32_MIN, INT32_MAX)) : 0;
  fired.score_level = scored ? score_.level : 0;
  if (actions.log) {
    fired.message = expand(rule.msg);
    fired.data = expand(rule.logdata);
  }
  if (fired_.size() < kFiredMax) fired_.push_back(std::move(fired));
  fired.message.clear();
  fired.data.clear();
  const bool acts = mode_ == EngineMode::on;
  switch (actions.disruptive) {
    case Disruptive::deny:
    case Disruptive::drop:
    case Disruptive::redirect:
      // One that acts takes the place of one that was only detected.
      if (!interruption_ || (acts && !interruption_->acts)) {
        interruption_ = Interruption{actions.disruptive, actions.status, expand(rule.redirect), actions.id, acts};
      }
      break;
    case Disruptive::allow:
      if (acts) allowed_until_ = 4;
      break;
    case Disruptive::allow_request:
      if (acts) allowed_until_ = std::max<std::uint8_t>(allowed_until_, 2);
      break;
    case Disruptive::allow_phase: break;
    case Disruptive::none:
    case Disruptive::pass: return rule.skip_until > 0 ? Next::jump : Next::rule;
  }
  if (acts) return Next::end_phase;
  return rule.skip_until > 0 ? Next::jump : Next::rule;
}

}  // namespace gatehouse::waf
