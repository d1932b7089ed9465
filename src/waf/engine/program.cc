#include "waf/engine/program.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "waf/names.h"

namespace gatehouse::waf {
namespace {

bool is_meant(const Ctl& ctl, const Actions& actions) {
  if (ctl.kind == Ctl::Kind::rule_remove_by_id || ctl.kind == Ctl::Kind::rule_remove_target_by_id) {
    return std::any_of(ctl.ids.begin(), ctl.ids.end(),
                       [&](const IdRange& range) { return actions.id >= range.first && actions.id <= range.last; });
  }
  return std::find(actions.tags.begin(), actions.tags.end(), ctl.value) != actions.tags.end();
}

bool names_rules(const Ctl& ctl) noexcept {
  return ctl.kind == Ctl::Kind::rule_remove_by_id || ctl.kind == Ctl::Kind::rule_remove_by_tag ||
         ctl.kind == Ctl::Kind::rule_remove_target_by_id || ctl.kind == Ctl::Kind::rule_remove_target_by_tag;
}

// The sums that the Core Rule Set keeps: `anomaly_score_pl1`, `inbound_anomaly_score_pl2`,
// `outbound_anomaly_score_pl4`.
std::uint8_t level_of(const CompiledSetVar& set) noexcept {
  constexpr std::string_view kSum = "anomaly_score_pl";
  if (set.kind != SetVar::Kind::add || set.collection != Variable::tx || set.slot == kNoSlot) return 0;
  const std::string_view name = set.key.literal();
  if (name.size() <= kSum.size() || !name.substr(0, name.size() - 1).ends_with(kSum)) return 0;
  return name.back() >= '1' && name.back() <= '4' ? static_cast<std::uint8_t>(name.back() - '0') : 0;
}

}  // namespace

bool CompiledTarget::names(std::string_view name) const noexcept {
  switch (select) {
    case Target::Select::all: return true;
    case Target::Select::key: return same_name(key, name);
    case Target::Select::regex: return pattern && pattern->match(name) == Regex::Outcome::match;
  }
  return false;
}

TxSlot Program::slot_of(std::string_view lower_name) const noexcept {
  const auto found = tx_slots_.find(lower_name);
  return found != tx_slots_.end() ? found->second : kNoSlot;
}

class ProgramCompiler {
 public:
  explicit ProgramCompiler(RuleSet rules) { program_->source_ = std::move(rules); }

  Program::Compiled run() {
    for (std::size_t i = 0; i < kCapturesMax; ++i) slot(std::to_string(i));  // the captures are the first slots
    const RuleSet& source = program_->source_;
    program_->rules_.resize(source.rules.size());
    for (std::uint32_t i = 0; i < source.rules.size(); ++i) {
      const Rule& rule = source.rules[i];
      compile(rule, program_->rules_[i]);
      if (rule.chained && i > 0) {
        program_->rules_[i - 1].next = i;
      } else if (rule.actions.phase >= 1 && rule.actions.phase <= Program::kPhases) {
        program_->phases_[rule.actions.phase - 1].push_back(i);
      }
    }
    for (std::uint32_t i = 0; i < source.rules.size(); ++i) resolve_skip(i);
    for (CompiledRule& rule : program_->rules_) finish(rule);
    for (std::uint32_t i = 0; i < source.rules.size(); ++i) program_->rules_[i].opens = any_link(i, opens);
    for (std::size_t phase = 0; phase < Program::kPhases; ++phase) {
      for (const std::uint32_t head : program_->phases_[phase]) program_->steps_[phase].push_back(step_of(head));
    }
    find_counting();
    if (source.settings.geo) open_geo_database(*source.settings.geo);
    Program::Compiled result;
    result.errors = std::move(errors_);
    if (result.errors.empty()) {
      result.program = std::move(program_);
    } else {
      result.rules = std::move(program_->source_);
    }
    return result;
  }

 private:
  void fail(const Rule& rule, std::string message) { errors_.push_back({rule.position, std::move(message), {}}); }

  TxSlot slot(std::string_view name) {
    const auto [at, added] =
        program_->tx_slots_.try_emplace(lower(name), static_cast<TxSlot>(program_->tx_names_.size()));
    if (added) program_->tx_names_.push_back(at->first);
    return at->second;
  }

  Text text(const MacroText& macro) {
    Text result;
    for (const MacroPart& part : macro.parts) {
      TextPart compiled{part.literal, part.variable, part.key, kNoSlot};
      if (part.variable == Variable::tx && !part.key.empty()) compiled.slot = slot(part.key);
      result.parts.push_back(std::move(compiled));
    }
    return result;
  }

  CompiledTarget target(const Rule& rule, const Target& source) {
    CompiledTarget result{source.variable, source.select, source.count, source.key, nullptr, kNoSlot, {}};
    if (source.select == Target::Select::regex) {
      if (auto pattern = Regex::compile("(?i)" + source.key)) {
        result.pattern = std::make_shared<const Regex>(std::move(*pattern));
      } else {
        fail(rule, fmt::format("{}:/{}/: {}", name_of(source.variable), source.key, pattern.error().message));
      }
    } else if (source.variable == Variable::tx && source.select == Target::Select::key) {
      result.slot = slot(source.key);
    }
    return result;
  }

  CompiledCtl ctl(const Rule& rule, const Ctl& source) {
    CompiledCtl result{&source, {}};
    if (source.target) result.removed.target = target(rule, *source.target);
    if (!names_rules(source)) return result;
    const std::vector<Rule>& rules = program_->source_.rules;
    for (std::uint32_t i = 0; i < rules.size(); ++i) {
      if (!rules[i].chained && is_meant(source, rules[i].actions)) result.removed.rules.push_back(i);
    }
    return result;
  }

  void compile(const Rule& rule, CompiledRule& out) {
    out.source = &rule;
    for (const Target& source : rule.targets) {
      (source.exclude ? out.exclusions : out.targets).push_back(target(rule, source));
    }
    out.transformations = rule.actions.transformations;
    for (const SetVar& set : rule.actions.setvars) {
      CompiledSetVar compiled{set.kind, set.collection, text(set.key), text(set.value)};
      if (compiled.value.is_literal()) compiled.number = number_of(compiled.value.literal());
      if (set.collection == Variable::tx && compiled.key.is_literal()) compiled.slot = slot(compiled.key.literal());
      compiled.level = level_of(compiled);
      compiled.outbound = compiled.level != 0 && compiled.key.literal().starts_with("outbound_");
      out.setvars.push_back(std::move(compiled));
    }
    for (const ExpireVar& expire : rule.actions.expirevars) {
      if (expire.collection == Variable::ip) out.expirevars.push_back({text(expire.key), text(expire.seconds)});
    }
    if (rule.actions.initcol_ip) out.initcol = text(*rule.actions.initcol_ip);
    out.msg = text(rule.actions.msg);
    out.logdata = text(rule.actions.logdata);
    out.redirect = text(rule.actions.redirect);
    for (const Ctl& source : rule.actions.ctls) out.ctls.push_back(ctl(rule, source));
    if (!rule.is_action) compile_operator(rule, out.op);
  }

  void compile_operator(const Rule& rule, CompiledOperator& out) {
    out.kind = rule.op.kind;
    out.negated = rule.op.negated;
    out.argument = text(rule.op.argument);
    const bool literal = out.argument.is_literal();
    const std::string_view argument = out.argument.literal();
    if (literal) out.number = number_of(argument);
    const auto keep = [&](auto result, auto& into) {
      if (result) {
        into.emplace(std::move(*result));
      } else {
        fail(rule, std::move(result.error().message));
      }
    };
    switch (rule.op.kind) {
      case OperatorKind::rx:
        if (literal) keep(Regex::compile(argument), out.regex);
        break;
      case OperatorKind::pm:
      case OperatorKind::pm_from_file: keep(PhraseSet::compile(rule.op.phrases), out.phrases); break;
      case OperatorKind::validate_byte_range: keep(parse_byte_ranges(argument), out.bytes); break;
      case OperatorKind::ip_match: keep(IpList::parse(argument), out.addresses); break;
      default: break;
    }
  }

  static bool opens(const CompiledRule& rule) {
    const auto lets_off = [](const CompiledCtl& ctl) {
      return names_rules(*ctl.source) || ctl.source->kind == Ctl::Kind::rule_engine ||
             ctl.source->kind == Ctl::Kind::request_body_access;
    };
    switch (rule.source->actions.disruptive) {
      case Disruptive::allow:
      case Disruptive::allow_phase:
      case Disruptive::allow_request: return true;
      default: return rule.skip_until > 0 || std::any_of(rule.ctls.begin(), rule.ctls.end(), lets_off);
    }
  }

  // What is known when all rules are there.
  void finish(CompiledRule& rule) {
    for (CompiledTarget& target : rule.targets) {
      if (target.variable != Variable::tx || target.select != Target::Select::regex) continue;
      for (TxSlot slot = 0; slot < program_->tx_names_.size(); ++slot) {
        if (target.names(program_->tx_names_[slot])) target.slots.push_back(slot);
      }
    }
    const auto reads_matched = [](const CompiledTarget& target) {
      return target.variable == Variable::matched_vars || target.variable == Variable::matched_vars_names;
    };
    const auto& behind = program_->rules_[rule.next].targets;
    rule.is_read_behind = rule.next != 0 && std::any_of(behind.begin(), behind.end(), reads_matched);
  }

  Program::Step step_of(std::uint32_t head) const {
    const CompiledRule& rule = program_->rules_[head];
    const Actions& actions = rule.source->actions;
    const CompiledOperator& op = rule.op;
    Program::Step step{.id = actions.id, .head = head, .skip_until = rule.skip_until};
    if (rule.source->is_action || !is_numeric(op.kind) || !op.argument.is_literal()) return step;
    if (rule.targets.size() != 1 || rule.targets.front().slot == kNoSlot) return step;
    if (!rule.transformations.empty() || actions.multi_match) return step;
    const bool passes = actions.disruptive == Disruptive::none || actions.disruptive == Disruptive::pass;
    const bool more = rule.next != 0 || actions.log || actions.capture || rule.initcol || !rule.ctls.empty() ||
                      !rule.exclusions.empty() || !rule.expirevars.empty();
    const CompiledTarget& target = rule.targets.front();
    step.number = op.number;
    step.slot = target.slot;
    step.kind = op.kind;
    step.negated = op.negated;
    step.count = target.count;
    // What adds to a score is told with the rule that does.
    const bool scores =
        std::any_of(rule.setvars.begin(), rule.setvars.end(), [](const CompiledSetVar& set) { return set.level != 0; });
    step.whole = passes && !more && !scores;
    step.sets = !rule.setvars.empty();
    return step;
  }

  template <class Is>
  bool any_link(std::uint32_t head, Is is) const {
    for (std::uint32_t at = head;; at = program_->rules_[at].next) {
      if (is(program_->rules_[at])) return true;
      if (program_->rules_[at].next == 0) return false;
    }
  }

  void find_counting() {
    const auto changes_ip = [](const CompiledRule& rule) {
      return rule.initcol || !rule.expirevars.empty() ||
             std::any_of(rule.setvars.begin(), rule.setvars.end(),
                         [](const CompiledSetVar& set) { return set.collection == Variable::ip; });
    };
    const auto bears_on_others = [&](const CompiledRule& rule) {
      const Actions& actions = rule.source->actions;
      const bool stops = actions.disruptive != Disruptive::none && actions.disruptive != Disruptive::pass;
      return changes_ip(rule) || !rule.setvars.empty() || !rule.ctls.empty() || rule.skip_until > 0 ||
             actions.capture || stops || rule.op.kind == OperatorKind::geo_lookup;
    };
    const auto& phase = program_->phases_[Program::kPhases - 1];
    std::size_t end = phase.size();
    while (end > 0 && !any_link(phase[end - 1], changes_ip)) --end;
    for (std::uint32_t place = 0; place < end; ++place) {
      if (!any_link(phase[place], bears_on_others)) continue;
      program_->counting_.places.push_back(place);
      program_->counting_.opens |=
          any_link(phase[place], [](const CompiledRule& rule) { return rule.initcol.has_value(); });
    }
  }

  void open_geo_database(const RuleSettings::GeoFile& file) {
    if (auto opened = GeoDatabase::open(file.path)) {
      program_->geo_ = std::move(*opened);
    } else {
      errors_.push_back({file.position, std::move(opened.error().message),
                         "SecGeoLookupDb takes a database in MaxMind's format (.mmdb), as geoipupdate brings it"});
    }
  }

  // A jump leads to the first rule of the same phase behind the marker, or past all of them.
  void resolve_skip(std::uint32_t index) {
    const Rule& rule = program_->source_.rules[index];
    if (rule.chained || rule.actions.phase < 1 || rule.actions.phase > Program::kPhases) return;
    const auto& phase = program_->phases_[rule.actions.phase - 1];
    const auto here = std::lower_bound(phase.begin(), phase.end(), index);
    if (rule.actions.skip > 0) {
      const auto left = static_cast<std::uint32_t>(phase.end() - here);
      program_->rules_[index].skip_until =
          static_cast<std::uint32_t>(here - phase.begin()) + std::min(rule.actions.skip + 1, left);
    }
    if (rule.actions.skip_after.empty()) return;
    for (const Marker& marker : program_->source_.markers) {
      if (marker.name != rule.actions.skip_after || marker.before <= index) continue;
      const auto to = std::lower_bound(phase.begin(), phase.end(), static_cast<std::uint32_t>(marker.before));
      program_->rules_[index].skip_until = static_cast<std::uint32_t>(to - phase.begin());
      return;
    }
  }

  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  std::vector<Finding> errors_;
};

Program::Compiled Program::compile(RuleSet rules) { return ProgramCompiler(std::move(rules)).run(); }

}  // namespace gatehouse::waf
