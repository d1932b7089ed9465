#include "waf/match/match_plan.h"

#include <fmt/format.h>
#include <hs/hs.h>
#include <malloc.h>

#include <algorithm>

#include "base/check.h"
#include "waf/match/match_plan_builder.h"
#include "waf/names.h"
#include "waf/operator/operator.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {
namespace {

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

}  // namespace

void HsDatabaseDelete::operator()(hs_database* database) const noexcept { hs_free_database(database); }
void HsScratchDelete::operator()(hs_scratch* scratch) const noexcept { hs_free_scratch(scratch); }

Result<std::unique_ptr<const MatchPlan>> MatchPlan::build(const Program& program, const BuildOptions& options) {
  if (hs_valid_platform() != HS_SUCCESS)
    return fail(ErrorCode::unavailable, "this processor lacks what Hyperscan needs (SSSE3)");
  static const bool finds_all = library_finds_all();
  if (!finds_all)
    return fail(ErrorCode::unavailable,
                fmt::format("the pattern library {} misses matches on this processor", hs_version()));
  auto plan = MatchPlanBuilder(program, options).build();
  // The compiler leaves tens of megabytes behind, in the heap of each thread; what is read of a cache, some between
  // the databases.
  ::malloc_trim(0);
  return plan;
}

Result<MatchScratch> MatchPlan::make_scratch() const {
  MatchScratch result;
  hs_scratch* scratch = nullptr;
  std::size_t nodes = 0;
  for (const Set& set : sets_) {
    nodes = std::max(nodes, set.nodes.size());
    for (const Database& database : set.databases) {
      if (hs_alloc_scratch(database.database.get(), &scratch) != HS_SUCCESS) {
        hs_free_scratch(scratch);
        return fail(ErrorCode::exhausted, "no memory to scan with");
      }
    }
  }
  result.scratch_.reset(scratch);
  result.steps_.resize(nodes);
  result.cache_ = std::make_unique<VerdictCache>();
  return result;
}

void MatchPlan::begin_phase(std::size_t phase, ScanState& state) const {
  for (ScanState::LaneState& lane : state.lanes_) lane.current = false;
  state.phase_ = phase;
  find_candidates(state);
}

void MatchPlan::find_candidates(ScanState& state) const {
  const PhaseBits& bits = phases_[state.phase_ - 1];
  state.candidates_ = bits.ungated;
  for (std::size_t word = 0; word < bits.ungated.size(); ++word)
    state.candidates_[word] |= state.hits_.bits(bits.first_word + word);
  for (std::size_t lane = 0; lane < kLanes; ++lane) {
    if (state.lanes_[lane].current) continue;
    for (std::size_t word = 0; word < bits.ungated.size(); ++word) state.candidates_[word] |= bits.lanes[lane][word];
  }
}

void MatchPlan::Set::list_fields() {
  for (std::size_t i = 0; i < kValueLists; ++i) {
    for (const bool names : {false, true}) {
      const auto list = static_cast<ValueList>(i);
      if (const Field field = field_of(list, names); fields.test(field)) lists.push_back({list, names, field});
    }
  }
  for (std::size_t i = 0; i < kVariables; ++i) {
    if (const auto single = static_cast<Variable>(i); fields.test(field_of(single))) singles.push_back(single);
  }
}

bool MatchPlan::Set::has_header(std::string_view name) const noexcept {
  return std::any_of(direct_headers.begin(), direct_headers.end(),
                     [&](const std::string& header) { return same_name(header, name); });
}

// --- one form --------------------------------------------------------------------------------------------------------

struct MatchPlan::Scan {
  const Database& database;
  Field field;
  std::uint64_t chains;
  std::vector<std::uint32_t>& found;

  static int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) noexcept {
    const Scan& scan = *static_cast<Scan*>(context);
    GH_CHECK(id < scan.database.patterns.size());  // a cached database is what its digest says, or we stop
    const Pattern& pattern = scan.database.patterns[id];
    if ((pattern.chains & scan.chains) != 0 && pattern.fields.test(scan.field)) scan.found.push_back(pattern.rule);
    return 0;
  }
};

void MatchPlan::scan_form(const Set& set, Origin origin, const Form& form, const ByteSet& bytes,
                          MatchScratch& scratch) const {
  for (const Database& database : set.databases) {
    if ((database.chains & form.chains) == 0 || !database.fields.test(origin.field) ||
        !database.needs.met_by(form.text.size(), bytes)) {
      continue;
    }
    Scan scan{database, origin.field, form.chains, scratch.found_};
    ++scratch.statistics_.scans;
    scratch.statistics_.bytes += form.text.size();
    const hs_error_t error =
        hs_scan(database.database.get(), form.text.empty() ? "" : form.text.data(),
                static_cast<unsigned>(form.text.size()), 0, scratch.scratch_.get(), &Scan::on_match, &scan);
    GH_CHECK(error == HS_SUCCESS);  // anything else is a scratch of another plan, or in use
  }
  if (!set.directs.empty()) run_directs(set, origin, form, bytes, scratch);
}

// libinjection looks at a form once, however many rules and chains ask for it.
void MatchPlan::run_directs(const Set& set, Origin origin, const Form& form, const ByteSet& bytes,
                            MatchScratch& scratch) const {
  std::optional<bool> sqli, xss;
  for (const Direct& direct : set.directs) {
    if ((direct.chains & form.chains) == 0 || !direct.fields.test(origin.field)) continue;
    if (!origin.named && !direct.every_header) continue;
    bool hit = false;
    switch (direct.kind) {
      case OperatorKind::detect_sqli:
        if (!sqli) sqli = scratch.sqli_.detect(form.text).has_value();
        hit = *sqli;
        break;
      case OperatorKind::detect_xss:
        if (!xss) xss = detect_xss(form.text);
        hit = *xss;
        break;
      case OperatorKind::validate_byte_range: hit = !bytes.is_subset_of(direct.allowed); break;
      default: hit = true;
    }
    if (hit) scratch.found_.push_back(direct.rule);
  }
}

// --- one value -------------------------------------------------------------------------------------------------------

// The texts that the chains make of the value, each with the chains that make it.
void MatchPlan::find_forms(const Set& set, std::string_view value, const ByteSet& bytes, MatchScratch& scratch) const {
  std::vector<Form>& forms = scratch.forms_;
  forms.clear();
  if (!set.always_changed && !set.touched.intersects(bytes) && !value.empty()) {
    forms.push_back({value, ~std::uint64_t{0}});
    return;
  }
  std::vector<MatchScratch::Step>& steps = scratch.steps_;
  steps[0].text = value;
  steps[0].form = 0;
  forms.push_back({value, set.nodes[0].chain});
  for (std::size_t i = 1; i < set.nodes.size(); ++i) {
    const Node& node = set.nodes[i];
    const MatchScratch::Step& before = steps[node.parent];
    MatchScratch::Step& step = steps[i];
    step.text = before.text;
    step.form = before.form;
    // A text that no step has changed yet has the bytes that were looked at.
    const bool untouched = before.form == 0 && !value.empty() && !touched_by(node.transformation).intersects(bytes);
    if (!untouched && transform(node.transformation, before.text, step.buffer)) {
      step.text = step.buffer;
      step.form = 0;
      while (step.form < forms.size() && forms[step.form].text != step.text) ++step.form;
      if (step.form == forms.size()) forms.push_back({step.text, 0});
    }
    forms[step.form].chains |= node.chain;
  }
}

void MatchPlan::scan_value(const Set& set, std::uint32_t domain, Origin origin, std::size_t index,
                           std::string_view value, MatchScratch& scratch, HitList& hits) const {
  const auto add = [&](std::span<const std::uint32_t> rules) {
    for (const std::uint32_t rule : rules) hits.add(rule, places_[rule].slot, item_of(origin.field, index));
  };
  ++scratch.statistics_.values;
  const bool cached = scratch.cache_ && VerdictCache::takes(value);
  if (cached) {
    if (const auto rules = scratch.cache_->find(domain, value)) return add(*rules);
  }
  std::vector<std::uint32_t>& found = scratch.found_;
  found.clear();
  const ByteSet bytes = bytes_of(value);
  find_forms(set, value, bytes, scratch);
  const std::vector<Form>& forms = scratch.forms_;
  for (std::size_t i = 0; i < forms.size(); ++i) {
    if (forms[i].chains == 0) continue;  // no chain ends with it: a step on the way
    ++scratch.statistics_.forms;
    scan_form(set, origin, forms[i], i == 0 ? bytes : bytes_of(forms[i].text), scratch);
  }
  if (found.size() > 1) {
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
  }
  add(found);
  if (cached) scratch.cache_->store(domain, value, found);
}

// --- a request -------------------------------------------------------------------------------------------------------

void MatchPlan::scan(Lane lane, const Collections& values, MatchScratch& scratch, ScanState& state) const {
  ScanState::LaneState& done = state.lanes_[lane];
  for (const std::uint32_t which : sets_of_[lane]) {
    const Set& set = sets_[which];
    const auto domain_of = [which](Origin origin) {
      return static_cast<std::uint32_t>(origin.named) << 31 | which << 8 | origin.field;
    };
    for (const ListField& part : set.lists) {
      const std::vector<NameValue>& entries = values.list(part.list);
      for (std::size_t at = done.done[static_cast<std::size_t>(part.list)]; at < entries.size(); ++at) {
        const bool is_header = part.list == ValueList::request_headers && !part.names;
        const Origin origin{part.field, !is_header || set.has_header(entries[at].name)};
        scan_value(set, domain_of(origin), origin, at, part.names ? entries[at].name : entries[at].value, scratch,
                   state.hits_);
      }
    }
    for (const Variable variable : set.singles) {
      if (values.time_of(variable) <= done.set_before) continue;
      const Origin origin{field_of(variable)};
      if (const auto& value = values.single(variable))
        scan_value(set, domain_of(origin), origin, 0, *value, scratch, state.hits_);
    }
  }
  for (std::size_t i = 0; i < kValueLists; ++i)
    done.done[i] = static_cast<std::uint32_t>(values.list(static_cast<ValueList>(i)).size());
  done.set_before = values.time();
  done.current = true;
  state.hits_.seal();
  find_candidates(state);
}

}  // namespace gatehouse::waf
