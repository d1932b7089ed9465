#include "waf/match/match_plan_builder.h"

#include <hs/hs.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <system_error>
#include <thread>

#include "base/check.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {
namespace {

// Fields that mostly the same rules look at: one database serves them all, and tells by the mask which rules meant
// which.
enum class FieldClass : std::uint8_t { arguments, headers, line, parts, response, count_ };
constexpr std::size_t kFieldClasses = static_cast<std::size_t>(FieldClass::count_);

const std::array<FieldMask, kFieldClasses>& class_fields() {
  static const std::array<FieldMask, kFieldClasses> classes = [] {
    std::array<FieldMask, kFieldClasses> result;
    const auto into = [&](FieldClass field_class, ValueList list) {
      for (const bool names : {false, true}) result[static_cast<std::size_t>(field_class)].set(field_of(list, names));
    };
    into(FieldClass::arguments, ValueList::args_get);
    into(FieldClass::arguments, ValueList::args_post);
    into(FieldClass::arguments, ValueList::cookies);
    into(FieldClass::arguments, ValueList::xml_texts);
    into(FieldClass::arguments, ValueList::xml_attributes);
    into(FieldClass::headers, ValueList::request_headers);
    into(FieldClass::parts, ValueList::files);
    into(FieldClass::parts, ValueList::part_headers);
    into(FieldClass::response, ValueList::response_headers);
    for (std::size_t i = 0; i < kVariables; ++i) {
      const auto variable = static_cast<Variable>(i);
      const bool response = name_of(variable).starts_with("RESPONSE_");
      result[static_cast<std::size_t>(response ? FieldClass::response : FieldClass::line)].set(field_of(variable));
    }
    for (std::size_t field = 0; field < kFields; ++field) {
      const bool in_one =
          std::any_of(result.begin(), result.end(), [field](const FieldMask& mask) { return mask.test(field); });
      GH_CHECK(in_one);  // a field without a class would never be scanned
    }
    return result;
  }();
  return classes;
}

FieldMask fields_of(const CompiledRule& rule) {
  FieldMask mask;
  for (const CompiledTarget& target : rule.targets) {
    const ValueSource source = source_of(target.variable, target.key);
    for (std::size_t i = 0; i < source.count; ++i) mask.set(field_of(source.lists[i], source.names));
    if (source.count == 0) mask.set(field_of(target.variable));
  }
  return mask;
}

// CRS tags its rules `paranoia-level/2`. Other rules, and other tags, are of the first lane: lanes only save work.
Lane lane_of(const Rule& rule) {
  constexpr std::string_view kTag = "paranoia-level/";
  for (const std::string& tag : rule.actions.tags) {
    if (!tag.starts_with(kTag)) continue;
    const char level = tag.size() == kTag.size() + 1 ? tag.back() : '1';
    if (level >= '1' && level < '1' + static_cast<char>(kLanes)) return static_cast<Lane>(level - '1');
  }
  return 0;
}

constexpr std::size_t kChainsMax = 64;  // bits of a word

bool are_exact(const std::vector<Expression>& expressions) {
  return std::none_of(expressions.begin(), expressions.end(),
                      [](const Expression& e) { return (e.flags & HS_FLAG_PREFILTER) != 0; });
}

bool is_capture(TxSlot slot) noexcept { return slot < kCapturesMax; }

bool mentions_capture(const Text& text) {
  return std::any_of(text.parts.begin(), text.parts.end(), [](const TextPart& part) { return is_capture(part.slot); });
}

// What the rule does once it has matched.
bool acts_on_capture(const CompiledRule& rule) {
  return (rule.initcol && mentions_capture(*rule.initcol)) ||
         std::any_of(rule.setvars.begin(), rule.setvars.end(),
                     [](const auto& set) { return mentions_capture(set.key) || mentions_capture(set.value); }) ||
         std::any_of(rule.expirevars.begin(), rule.expirevars.end(), [](const auto& expire) {
           return mentions_capture(expire.key) || mentions_capture(expire.seconds);
         });
}

// What it looks at: `TX:1`, `TX`, `TX:/^[0-9]$/`, or `@streq %{tx.1}`.
bool looks_at_capture(const CompiledRule& rule) {
  return mentions_capture(rule.op.argument) ||
         std::any_of(rule.targets.begin(), rule.targets.end(), [](const CompiledTarget& target) {
           if (target.variable != Variable::tx) return false;
           for (const char digit : std::string_view("0123456789")) {
             if (target.names({&digit, 1})) return true;
           }
           return false;
         });
}

// Which of the rule's fields are looked at in the set of each class. Patterns that are sought in arguments and headers
// are compiled for both; those of higher levels are the largest, so there the two share a set.
std::array<FieldMask, kFieldClasses> masks_of(const CompiledRule& rule, Lane lane) {
  std::array<FieldMask, kFieldClasses> masks = class_fields();
  const FieldMask fields = fields_of(rule);
  for (FieldMask& mask : masks) mask &= fields;
  if (lane > 0) {
    FieldMask& arguments = masks[static_cast<std::size_t>(FieldClass::arguments)];
    for (const FieldClass other : {FieldClass::headers, FieldClass::line}) {
      FieldMask& mask = masks[static_cast<std::size_t>(other)];
      arguments |= mask;
      mask.reset();
    }
  }
  return masks;
}

// That nothing but the record depends on which bytes of a value matched, or, with multiMatch, at which step.
bool only_match_counts(const CompiledRule& rule) {
  return rule.next == 0 && !rule.source->actions.multi_match && !acts_on_capture(rule);
}

bool is_libinjection(OperatorKind kind) noexcept {
  return kind == OperatorKind::detect_sqli || kind == OperatorKind::detect_xss;
}

// That some rule asks for what a rule outside its chain has captured.
bool reads_captures_of_others(const Program& program) {
  bool captured = false;
  for (const CompiledRule& rule : program.rules()) {
    captured = captured && rule.source->chained;
    if (!captured && looks_at_capture(rule)) return true;
    captured |= rule.source->actions.capture;
    if (!captured && acts_on_capture(rule)) return true;
  }
  return false;
}

}  // namespace

Result<std::unique_ptr<const MatchPlan>> MatchPlanBuilder::build() {
  if (!options_.cache_file.empty()) cache_ = MatchCache::read(options_.cache_file);
  if (auto found = find_expressions(); !found) return tl::unexpected(std::move(found.error()));
  draft_sets();
  if (auto filled = fill_databases(); !filled) return tl::unexpected(std::move(filled.error()));
  place_rules();  // the databases tell which rules cannot be gated after all
  MatchPlan::Statistics& statistics = plan_->statistics_;
  for (const MatchPlan::Place& place : plan_->places_) statistics.gated += place.gated;
  for (const auto* expressions : expressions_) {
    if (!expressions) continue;
    statistics.pieces += expressions->size();
    statistics.prefilters += std::any_of(expressions->begin(), expressions->end(),
                                         [](const Expression& e) { return (e.flags & HS_FLAG_PREFILTER) != 0; });
  }
  for (const MatchPlan::Set& set : plan_->sets_) {
    for (const MatchPlan::Database& database : set.databases) {
      ++statistics.databases;
      statistics.patterns += database.patterns.size();
      std::size_t bytes = 0;
      if (hs_database_size(database.database.get(), &bytes) == HS_SUCCESS) statistics.bytes += bytes;
    }
  }
  return std::unique_ptr<const MatchPlan>(std::move(plan_));
}

// An exception, of which only want of memory is to be expected, must not leave a thread: it ends the work with an
// error.
Status MatchPlanBuilder::each_in_parallel(std::size_t count, const std::function<Status(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  Status result;
  const auto end_with = [&](Error&& error) {
    next = count;  // the others end after what they are at
    const std::lock_guard lock(mutex_);
    if (result) result = tl::unexpected(std::move(error).while_("compiling the rules' patterns"));
  };
  const auto run = [&] {
    try {
      for (std::size_t i = next++; i < count; i = next++) {
        if (options_.stop != nullptr && *options_.stop)
          return end_with(Error{.code = ErrorCode::unavailable, .message = "given up, for the program ends"});
        if (auto done = work(i); !done) return end_with(std::move(done.error()));
        const std::lock_guard lock(mutex_);
        ++done_;
        if (options_.progress) options_.progress(done_, total_);
      }
    } catch (const std::exception& thrown) {
      end_with(Error{.code = ErrorCode::exhausted, .message = thrown.what()});
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(options_.threads);
  for (unsigned i = 1; i < std::max(1u, options_.threads) && i < count; ++i) {
    try {
      threads.emplace_back(run);
    } catch (const std::system_error&) {
      break;  // no more threads: those that run do it all
    }
  }
  run();
  for (std::thread& thread : threads) thread.join();
  return result;
}

// --- what is looked for ----------------------------------------------------------------------------------------------

Status MatchPlanBuilder::find_expressions() {
  const std::span<const CompiledRule> rules = program_.rules();
  expressions_.assign(rules.size(), nullptr);
  std::map<std::string, std::vector<Expression>, std::less<>> wanted;
  std::vector<decltype(wanted)::value_type*> unknown;
  for (const CompiledRule& rule : rules) {
    if (!may_be_gated(rule) || rule.op.kind != OperatorKind::rx) continue;
    const auto [at, added] = wanted.try_emplace(std::string(rule.op.argument.literal()));
    if (!added) continue;
    if (const auto known = cache_.expressions.find(at->first); known != cache_.expressions.end()) {
      at->second = known->second;
    } else {
      unknown.push_back(&*at);
    }
  }
  total_ = 2 * unknown.size();  // the databases count as much, whatever their number
  auto tried = each_in_parallel(unknown.size(), [&](std::size_t i) -> Status {
    unknown[i]->second = expressions_of_regex(unknown[i]->first);
    return {};
  });
  if (!tried) return tried;
  cache_.expressions = std::move(wanted);
  for (auto& [pattern, expressions] : cache_.expressions) {
    for (Expression& expression : expressions) expression.requires_of = requirements_of_regex(expression.text);
  }
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const CompiledRule& rule = rules[i];
    if (!may_be_gated(rule)) continue;
    if (rule.op.kind == OperatorKind::rx) {
      const auto& found = cache_.expressions.find(rule.op.argument.literal())->second;
      if (!found.empty()) expressions_[i] = &found;
    } else if (!is_direct(rule.op.kind)) {
      expressions_[i] = &(phrases_[rule.source] = expressions_of_phrases(rule.source->op.phrases));
    }
  }
  return {};
}

void MatchPlanBuilder::draft_sets() {
  plan_->places_.resize(program_.rules().size());
  const bool captures_are_read = reads_captures_of_others(program_);
  for (std::size_t phase = 1; phase <= Program::kPhases; ++phase) {
    for (const std::uint32_t head : program_.phase(phase)) {
      const CompiledRule& rule = program_.rule(head);
      MatchPlan::Place& place = plan_->places_[head];
      if (!expressions_[head] && !(may_be_gated(rule) && is_direct(rule.op.kind))) continue;
      place.lane = lane_of(*rule.source);
      place.gated = true;
      const bool exact = rule.op.kind == OperatorKind::rx ? expressions_[head] && are_exact(*expressions_[head])
                                                          : is_libinjection(rule.op.kind);
      place.proves = exact && only_match_counts(rule) && !captures_are_read;
      const auto masks = masks_of(rule, place.lane);
      for (std::size_t field_class = 0; field_class < kFieldClasses && place.gated; ++field_class) {
        if (masks[field_class].any()) place.gated = join(drafts_[{place.lane, field_class}], head, masks[field_class]);
      }
    }
  }
  for (auto& [key, draft] : drafts_) finish_set(key.first, draft);
}

// False when the set has no room for another chain.
bool MatchPlanBuilder::join(Draft& draft, std::uint32_t head, const FieldMask& mask) {
  const CompiledRule& rule = program_.rule(head);
  const auto& steps = rule.transformations;
  std::uint64_t chains = 0;
  // With multiMatch every step's value is looked at.
  for (std::size_t length = rule.source->actions.multi_match ? 0 : steps.size(); length <= steps.size(); ++length) {
    const Chain chain(steps.begin(), steps.begin() + static_cast<std::ptrdiff_t>(length));
    auto at = draft.chains.find(chain);
    if (at == draft.chains.end()) {
      if (draft.chains.size() == kChainsMax) return false;
      at = draft.chains.emplace(chain, std::uint64_t{1} << draft.chains.size()).first;
    }
    chains |= at->second;
  }
  const MatchPlan::Pattern pattern{head, mask, chains};
  if (!expressions_[head]) {
    draft.members.push_back({nullptr, pattern});
    return true;
  }
  for (const Expression& expression : *expressions_[head]) draft.members.push_back({&expression, pattern});
  return true;
}

void MatchPlanBuilder::finish_set(Lane lane, Draft& draft) {
  if (draft.members.empty()) return;
  MatchPlan::Set set;
  set.lane = lane;
  add_nodes(set, draft);
  std::vector<const Expression*> expressions;
  std::vector<const Member*> members;
  for (const Member& member : draft.members) {
    set.fields |= member.pattern.fields;
    if (member.expression) {
      expressions.push_back(member.expression);
      members.push_back(&member);
      continue;
    }
    add_direct(set, member.pattern);
  }
  set.list_fields();
  const std::size_t which = plan_->sets_.size();
  for (const Bundle& bundled : bundle(expressions)) {
    MatchPlan::Database database;
    database.needs = expressions[bundled.members.front()]->requires_of;
    auto& into = by_database_[{which, set.databases.size()}];
    for (const std::size_t i : bundled.members) {
      database.needs = either(database.needs, expressions[i]->requires_of);
      database.patterns.push_back(members[i]->pattern);
      database.fields |= members[i]->pattern.fields;
      database.chains |= members[i]->pattern.chains;
      into.push_back(*members[i]);
    }
    set.databases.push_back(std::move(database));
  }
  plan_->sets_of_[lane].push_back(static_cast<std::uint32_t>(which));
  plan_->sets_.push_back(std::move(set));
}

void MatchPlanBuilder::add_direct(MatchPlan::Set& set, const MatchPlan::Pattern& pattern) const {
  const CompiledRule& rule = program_.rule(pattern.rule);
  MatchPlan::Direct direct{pattern.rule, rule.op.kind, pattern.fields, pattern.chains,
                           rule.op.bytes.value_or(ByteSet{})};
  for (const CompiledTarget& target : rule.targets) {
    if (target.variable != Variable::request_headers) continue;
    if (target.select == Target::Select::key) {
      set.direct_headers.push_back(target.key);
    } else {
      direct.every_header = true;
    }
  }
  set.directs.push_back(std::move(direct));
}

// The chains as a tree in depth-first order: the map's order has each chain behind its prefixes.
void MatchPlanBuilder::add_nodes(MatchPlan::Set& set, const Draft& draft) const {
  set.nodes.push_back({});
  Chain path;
  std::vector<std::uint16_t> at{0};  // the node at each depth of the path
  for (const auto& [chain, bit] : draft.chains) {
    const auto [a, b] = std::mismatch(path.begin(), path.end(), chain.begin(), chain.end());
    at.resize(static_cast<std::size_t>(b - chain.begin()) + 1);
    for (auto step = b; step != chain.end(); ++step) {
      set.nodes.push_back({*step, at.back(), 0});
      at.push_back(static_cast<std::uint16_t>(set.nodes.size() - 1));
      const ByteSet& touched = touched_by(*step);
      if (touched == ByteSet::all()) {
        set.always_changed = true;
      } else {
        set.touched = set.touched | touched;
      }
    }
    set.nodes[at.back()].chain = bit;
    path = chain;
  }
}

void MatchPlanBuilder::place_rules() {
  for (std::size_t phase = 1; phase <= Program::kPhases; ++phase) {
    MatchPlan::PhaseBits& bits = plan_->phases_[phase - 1];
    const auto heads = program_.phase(phase);
    const std::size_t words = (heads.size() + 63) / 64;
    bits.first_word = plan_->slots_ / 64;
    bits.ungated.assign(words, 0);
    for (auto& lane : bits.lanes) lane.assign(words, 0);
    for (std::size_t i = 0; i < heads.size(); ++i) {
      MatchPlan::Place& place = plan_->places_[heads[i]];
      place.slot = static_cast<std::uint32_t>(plan_->slots_ + i);
      (place.gated ? bits.lanes[place.lane] : bits.ungated)[i / 64] |= std::uint64_t{1} << (i % 64);
    }
    plan_->slots_ += words * 64;
  }
}

// --- databases -------------------------------------------------------------------------------------------------------

Status MatchPlanBuilder::fill_databases() {
  for (auto& [place, members] : by_database_) {
    Job job{&plan_->sets_[place.first].databases[place.second], {}, {}};
    std::string content;
    for (const Member& member : members) {
      job.expressions.push_back(member.expression);
      content +=
          fmt::format("{}:{}:{}\n", member.expression->flags, member.expression->text.size(), member.expression->text);
    }
    job.key = crypto::as_text(crypto::sha256(content));
    jobs_.push_back(std::move(job));
  }
  std::vector<Job*> missing;
  for (Job& job : jobs_) {
    const auto known = cache_.databases.find(job.key);
    hs_database_t* database = nullptr;
    if (known != cache_.databases.end() &&
        hs_deserialize_database(known->second.data(), known->second.size(), &database) == HS_SUCCESS) {
      job.into->database.reset(database);
    } else {
      missing.push_back(&job);
    }
  }
  plan_->statistics_.compiled = missing.size();
  plan_->statistics_.from_cache = missing.empty();
  if (missing.empty()) return {};
  // The largest first, so that no thread is left with it at the end.
  std::sort(missing.begin(), missing.end(),
            [](const Job* a, const Job* b) { return a->expressions.size() > b->expressions.size(); });
  total_ = done_ + missing.size();
  if (auto compiled = each_in_parallel(missing.size(), [&](std::size_t i) { return compile(*missing[i]); }); !compiled)
    return compiled;
  if (!options_.cache_file.empty()) write_cache();
  drop_refused();
  return {};
}

void MatchPlanBuilder::write_cache() {
  cache_.databases.clear();
  cache_.bytes.clear();
  for (const Job& job : jobs_) {
    char* bytes = nullptr;
    std::size_t size = 0;
    if (job.key.empty() || hs_serialize_database(job.into->database.get(), &bytes, &size) != HS_SUCCESS) continue;
    cache_.databases.emplace(job.key, cache_.bytes.emplace_back(bytes, size));
    std::free(bytes);
  }
  cache_.write(options_.cache_file);
}

// What the compiler refuses is left out with its whole rule, which then is evaluated on every value: slower, and just
// as right. Patterns were tried one by one before, so this is for what is too much together, or remembered wrongly.
// Without a key the rest is not cached: its numbers are its own.
Status MatchPlanBuilder::compile(Job& job) {
  MatchPlan::Database& into = *job.into;
  while (!job.expressions.empty()) {
    std::vector<const char*> texts;
    std::vector<unsigned> flags, ids;
    for (const Expression* expression : job.expressions) {
      texts.push_back(expression->text.c_str());
      flags.push_back(expression->flags);
      ids.push_back(static_cast<unsigned>(ids.size()));
    }
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    if (hs_compile_multi(texts.data(), flags.data(), ids.data(), static_cast<unsigned>(texts.size()), HS_MODE_BLOCK,
                         nullptr, &database, &error) == HS_SUCCESS) {
      into.database.reset(database);
      return {};
    }
    job.key.clear();
    const std::string message = error != nullptr && error->message != nullptr ? error->message : "no reason given";
    const int which = error != nullptr ? error->expression : -1;  // negative: none of them alone
    hs_free_compile_error(error);
    if (message.find("allocate memory") != std::string::npos) return fail(ErrorCode::exhausted, message);
    std::vector<std::uint32_t> refused;
    for (std::size_t i = 0; i < into.patterns.size(); ++i) {
      if (which < 0 || i == static_cast<std::size_t>(which)) refused.push_back(into.patterns[i].rule);
    }
    const auto is_refused = [&](std::uint32_t rule) {
      return std::find(refused.begin(), refused.end(), rule) != refused.end();
    };
    std::size_t kept = 0;
    for (std::size_t i = 0; i < into.patterns.size(); ++i) {
      if (is_refused(into.patterns[i].rule)) continue;
      job.expressions[kept] = job.expressions[i];
      into.patterns[kept++] = into.patterns[i];
    }
    job.expressions.resize(kept);
    into.patterns.resize(kept);
    const std::lock_guard lock(mutex_);
    refused_.insert(refused.begin(), refused.end());
  }
  return {};
}

// Hits of a refused rule's other patterns are of no use, and do no harm. Databases of which nothing is left go.
void MatchPlanBuilder::drop_refused() {
  for (const std::uint32_t rule : refused_) plan_->places_[rule].gated = false;
  if (refused_.empty()) return;
  jobs_.clear();  // they point to databases, which now move
  for (MatchPlan::Set& set : plan_->sets_)
    std::erase_if(set.databases, [](const MatchPlan::Database& each) { return !each.database; });
}

}  // namespace gatehouse::waf
