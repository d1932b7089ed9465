#include "waf/match/match_plan.h"

#include <hs/hs.h>

#include <algorithm>

#include "base/check.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {

void HsDatabaseDelete::operator()(hs_database* database) const noexcept { hs_free_database(database); }
void HsScratchDelete::operator()(hs_scratch* scratch) const noexcept { hs_free_scratch(scratch); }

// --- hits ------------------------------------------------------------------------------------------------------------

void HitList::reset(std::size_t rules) {
  rules_.assign((rules + 63) / 64, 0);
  hits_.clear();
}

void HitList::add(std::uint32_t rule, ItemId item) {
  rules_[rule >> 6] |= std::uint64_t{1} << (rule & 63);
  // A pattern in several pieces, or a chain's steps, report the same more than once.
  if (hits_.empty() || hits_.back() != Hit{rule, item}) hits_.push_back({rule, item});
}

void HitList::seal() { std::sort(hits_.begin(), hits_.end()); }

bool HitList::has(std::uint32_t rule, ItemId item) const noexcept {
  return std::binary_search(hits_.begin(), hits_.end(), Hit{rule, item});
}

// --- scanning --------------------------------------------------------------------------------------------------------

Result<MatchScratch> MatchPlan::make_scratch() const {
  MatchScratch result;
  hs_scratch* scratch = nullptr;
  for (const Database& database : databases_) {
    if (hs_alloc_scratch(database.database.get(), &scratch) != HS_SUCCESS) {
      hs_free_scratch(scratch);
      return fail(ErrorCode::exhausted, "no memory to scan with");
    }
  }
  result.scratch_.reset(scratch);
  std::size_t depth = 0;
  for (const auto& groups : phases_) {
    for (const Group& group : groups) {
      for (const Node& node : group.nodes) depth = std::max<std::size_t>(depth, node.depth);
    }
  }
  result.buffers_.resize(depth + 1);
  return result;
}

struct MatchPlan::Scan {
  const Database& database;
  Field field;
  ItemId item;
  HitList& hits;

  static int on_match(unsigned id, unsigned long long, unsigned long long, unsigned, void* context) noexcept {
    const Scan& scan = *static_cast<Scan*>(context);
    const Pattern& pattern = scan.database.patterns[id];
    if (pattern.fields.test(scan.field)) scan.hits.add(pattern.rule, scan.item);
    return 0;
  }
};

void MatchPlan::scan_value(const Group& group, Field field, std::size_t index, std::string_view value,
                           MatchScratch& scratch, HitList& hits) const {
  // The value at each depth of the chain under way; an unchanged one is its predecessor's.
  std::array<std::string_view, 16> at{};
  const ByteSet bytes = bytes_of(value);
  std::array<bool, 16> same{};
  for (const Node& node : group.nodes) {
    if (node.depth == 0) {
      at[0] = value;
      same[0] = true;
    } else {
      const std::size_t before = node.depth - 1u;
      at[node.depth] = at[before];
      same[node.depth] = same[before];
      // A value that no step has changed yet has the bytes that were looked at.
      const bool untouched = same[before] && !value.empty() && !touched_by(node.transformation).intersects(bytes);
      if (!untouched && transform(node.transformation, at[before], scratch.buffers_[node.depth])) {
        at[node.depth] = scratch.buffers_[node.depth];
        same[node.depth] = false;
      }
    }
    if (node.database < 0) continue;
    const Database& database = databases_[static_cast<std::size_t>(node.database)];
    Scan scan{database, field, item_of(field, index), hits};
    const std::string_view text = at[node.depth];
    const hs_error_t error =
        hs_scan(database.database.get(), text.empty() ? "" : text.data(), static_cast<unsigned>(text.size()), 0,
                scratch.scratch_.get(), &Scan::on_match, &scan);
    GH_CHECK(error == HS_SUCCESS);  // anything else is a scratch of another plan, or in use
  }
}

void MatchPlan::scan(std::size_t phase, const Collections& values, MatchScratch& scratch, HitList& hits) const {
  hits.reset(gated_.size());
  for (const Group& group : phases_[phase - 1]) {
    for (std::size_t i = 0; i < kValueLists; ++i) {
      const auto list = static_cast<ValueList>(i);
      for (const bool names : {false, true}) {
        const Field field = field_of(list, names);
        if (!group.fields.test(field)) continue;
        const std::vector<NameValue>& entries = values.list(list);
        for (std::size_t at = 0; at < entries.size(); ++at) {
          scan_value(group, field, at, names ? entries[at].name : entries[at].value, scratch, hits);
        }
      }
    }
    for (std::size_t i = 0; i < kVariables; ++i) {
      const Field field = field_of(static_cast<Variable>(i));
      if (!group.fields.test(field)) continue;
      if (const auto& value = values.single(static_cast<Variable>(i)))
        scan_value(group, field, 0, *value, scratch, hits);
    }
  }
  hits.seal();
}

}  // namespace gatehouse::waf
