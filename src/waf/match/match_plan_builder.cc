#include "waf/match/match_plan_builder.h"

#include <hs/hs.h>

#include <algorithm>
#include <atomic>
#include <thread>

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
    return result;
  }();
  return classes;
}

// Vectorscan 5.4.9 misses matches behind a negated class on processors with AVX-512 (its pull request 378). A matcher
// that misses is a hole in the wall, so the library is asked before it is trusted.
bool library_finds_all() {
  hs_database_t* compiled = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile("\\$\\{[^\\}]+\\}", HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH, HS_MODE_BLOCK, nullptr, &compiled, &error) !=
      HS_SUCCESS) {
    hs_free_compile_error(error);
    return false;
  }
  const std::unique_ptr<hs_database, HsDatabaseDelete> database(compiled);
  hs_scratch_t* allocated = nullptr;
  if (hs_alloc_scratch(database.get(), &allocated) != HS_SUCCESS) return false;
  const std::unique_ptr<hs_scratch, HsScratchDelete> scratch(allocated);
  for (std::size_t length = 1; length < 400; ++length) {
    const std::string value = "${" + std::string(length, 'm') + "}";
    bool found = false;
    const auto on_match = [](unsigned, unsigned long long, unsigned long long, unsigned, void* context) {
      *static_cast<bool*>(context) = true;
      return 0;
    };
    if (hs_scan(database.get(), value.data(), static_cast<unsigned>(value.size()), 0, scratch.get(), on_match,
                &found) != HS_SUCCESS ||
        !found) {
      return false;
    }
  }
  return true;
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

}  // namespace

Result<std::unique_ptr<const MatchPlan>> MatchPlan::build(const Program& program, const BuildOptions& options) {
  if (hs_valid_platform() != HS_SUCCESS)
    return fail(ErrorCode::unavailable, "this processor lacks what Hyperscan needs (SSSE3)");
  static const bool finds_all = library_finds_all();
  if (!finds_all)
    return fail(ErrorCode::unavailable,
                fmt::format("the pattern library {} misses matches on this processor", hs_version()));
  return MatchPlanBuilder(program, options).build();
}

Result<std::unique_ptr<const MatchPlan>> MatchPlanBuilder::build() {
  const crypto::Sha256 key = fingerprint();
  plan_->statistics_.from_cache = load_cache(key);
  if (!plan_->statistics_.from_cache) {
    find_expressions();
    group();
    if (auto compiled = compile_databases(); !compiled) return tl::unexpected(std::move(compiled.error()));
    store_cache(key);
  }
  MatchPlan::Statistics& statistics = plan_->statistics_;
  statistics.databases = plan_->databases_.size();
  for (const auto& expressions : expressions_) {
    if (expressions.empty()) continue;
    ++statistics.gated;
    statistics.pieces += expressions.size();
    statistics.prefilters += std::any_of(expressions.begin(), expressions.end(),
                                         [](const Expression& e) { return (e.flags & HS_FLAG_PREFILTER) != 0; });
  }
  for (const MatchPlan::Database& database : plan_->databases_) {
    statistics.patterns += database.patterns.size();
    std::size_t bytes = 0;
    if (hs_database_size(database.database.get(), &bytes) == HS_SUCCESS) statistics.bytes += bytes;
  }
  return std::unique_ptr<const MatchPlan>(std::move(plan_));
}

void MatchPlanBuilder::each_in_parallel(std::size_t count, const std::function<void(std::size_t)>& work) {
  std::atomic<std::size_t> next{0};
  const auto run = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      work(i);
      const std::lock_guard lock(mutex_);
      ++done_;
      if (options_.progress) options_.progress(done_, total_);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::max(1u, options_.threads); ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
}

void MatchPlanBuilder::find_expressions() {
  const std::size_t rules = program_.rules().size();
  expressions_.resize(rules);
  total_ = 2 * rules;  // the databases count as much, whatever their number
  each_in_parallel(rules, [this](std::size_t i) { expressions_[i] = expressions_of(program_.rules()[i]); });
}

void MatchPlanBuilder::group() {
  plan_->gated_.resize(program_.rules().size());
  for (std::size_t i = 0; i < expressions_.size(); ++i) plan_->gated_[i] = !expressions_[i].empty();
  for (std::size_t phase = 1; phase <= Program::kPhases; ++phase) {
    for (const std::uint32_t head : program_.phase(phase)) {
      if (!plan_->gated_[head]) continue;
      const CompiledRule& rule = program_.rule(head);
      const FieldMask fields = fields_of(rule);
      for (std::size_t field_class = 0; field_class < kFieldClasses; ++field_class) {
        const FieldMask mask = fields & class_fields()[field_class];
        if (mask.none()) continue;
        // With multiMatch every step's value is looked at.
        const std::size_t first = rule.source->actions.multi_match ? 0 : rule.transformations.size();
        for (std::size_t length = first; length <= rule.transformations.size(); ++length) {
          const Chain chain(rule.transformations.begin(),
                            rule.transformations.begin() + static_cast<std::ptrdiff_t>(length));
          Job& job = jobs_[{{phase, field_class}, chain}];
          for (const Expression& expression : expressions_[head]) {
            job.expressions.push_back(&expression);
            job.patterns.push_back({head, mask});
          }
        }
      }
    }
    for (std::size_t field_class = 0; field_class < kFieldClasses; ++field_class) {
      MatchPlan::Group made;
      add_nodes(made, phase, field_class);
      if (!made.nodes.empty()) plan_->phases_[phase - 1].push_back(std::move(made));
    }
  }
}

// The chains of one group as a tree in depth-first order: the map's order has each chain behind its prefixes.
void MatchPlanBuilder::add_nodes(MatchPlan::Group& group, std::size_t phase, std::size_t field_class) {
  Chain path;
  for (auto at = jobs_.lower_bound({{phase, field_class}, {}});
       at != jobs_.end() && at->first.first == std::pair{phase, field_class}; ++at) {
    const Chain& chain = at->first.second;
    if (group.nodes.empty()) group.nodes.push_back({});
    const auto [a, b] = std::mismatch(path.begin(), path.end(), chain.begin(), chain.end());
    for (auto step = b; step != chain.end(); ++step) {
      group.nodes.push_back({*step, static_cast<std::uint16_t>(step - chain.begin() + 1), -1});
    }
    MatchPlan::Node& node = chain.empty() ? group.nodes.front() : group.nodes.back();
    node.database = static_cast<std::int32_t>(by_database_.size());
    by_database_.push_back(&at->second);
    for (const MatchPlan::Pattern& pattern : at->second.patterns) group.fields |= pattern.fields;
    path = chain;
  }
}

Status MatchPlanBuilder::compile_databases() {
  plan_->databases_.resize(by_database_.size());
  std::vector<std::string> errors(by_database_.size());
  total_ = done_ + by_database_.size();
  // The largest first, so that no thread is left with it at the end.
  std::vector<std::size_t> order(by_database_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [this](std::size_t a, std::size_t b) {
    return by_database_[a]->expressions.size() > by_database_[b]->expressions.size();
  });
  each_in_parallel(order.size(), [&](std::size_t turn) {
    const std::size_t i = order[turn];
    const Job& job = *by_database_[i];
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
                         nullptr, &database, &error) != HS_SUCCESS) {
      errors[i] = error != nullptr && error->message != nullptr ? error->message : "no reason given";
      hs_free_compile_error(error);
      return;
    }
    plan_->databases_[i].database.reset(database);
    plan_->databases_[i].patterns = job.patterns;
  });
  for (const std::string& error : errors) {
    if (!error.empty()) return fail(ErrorCode::internal, "compiling the rules' patterns: " + error);
  }
  return {};
}

}  // namespace gatehouse::waf
