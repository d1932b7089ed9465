#include "waf/operator/phrases.h"

#include <hs/hs.h>

#include <algorithm>
#include <limits>

#include "base/check.h"

namespace gatehouse::waf {
namespace {

struct Search {
  const std::vector<std::uint32_t>& sizes;
  std::optional<PhraseMatch> found;
};

// Ends come in ascending order; after the first, only a longer phrase with the same end is of interest.
int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned, void* context) noexcept {
  auto& search = *static_cast<Search*>(context);
  const std::size_t end = static_cast<std::size_t>(to);
  if (search.found) {
    const Match& match = search.found->match;
    if (end != match.offset + match.size) return 1;  // stops the scan
    if (search.sizes[id] <= match.size) return 0;
  }
  search.found = PhraseMatch{id, {end - search.sizes[id], search.sizes[id]}};
  return 0;
}

}  // namespace

void PhraseScratch::ScratchDelete::operator()(hs_scratch* scratch) const noexcept { hs_free_scratch(scratch); }
void PhraseSet::DatabaseDelete::operator()(hs_database* database) const noexcept { hs_free_database(database); }

Status PhraseScratch::prepare(const PhraseSet& set) {
  hs_scratch* scratch = scratch_.release();
  const hs_error_t error = hs_alloc_scratch(set.database_.get(), &scratch);
  scratch_.reset(scratch);
  if (error != HS_SUCCESS) return fail(ErrorCode::exhausted, fmt::format("no memory for phrases (error {})", error));
  return {};
}

Result<PhraseSet> PhraseSet::compile(std::span<const std::string> phrases) {
  if (phrases.empty()) return fail(ErrorCode::invalid, "no phrases");
  PhraseSet set;
  std::vector<const char*> texts;
  std::vector<unsigned> flags(phrases.size(), HS_FLAG_CASELESS);
  std::vector<unsigned> ids;
  std::vector<std::size_t> sizes;
  for (const std::string& phrase : phrases) {
    if (phrase.empty() || phrase.front() == '\0' || phrase.size() > std::numeric_limits<std::uint32_t>::max()) {
      return fail(ErrorCode::invalid, "an empty phrase");
    }
    texts.push_back(phrase.c_str());
    sizes.push_back(phrase.size());
    ids.push_back(static_cast<unsigned>(ids.size()));
    set.sizes_.push_back(static_cast<std::uint32_t>(phrase.size()));
  }
  hs_database* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile_lit_multi(texts.data(), flags.data(), ids.data(), sizes.data(), static_cast<unsigned>(phrases.size()),
                           HS_MODE_BLOCK, nullptr, &database, &error) != HS_SUCCESS) {
    std::string message = error != nullptr ? error->message : "unknown error";
    hs_free_compile_error(error);
    return fail(ErrorCode::invalid, "phrases: " + message);
  }
  set.database_.reset(database);
  return set;
}

std::optional<PhraseMatch> PhraseSet::find(std::string_view value, PhraseScratch& scratch) const noexcept {
  Search search{sizes_, std::nullopt};
  constexpr std::size_t kBlockMax = std::numeric_limits<unsigned>::max();
  GH_CHECK(value.size() <= kBlockMax);  // bodies are bounded far below
  const hs_error_t error = hs_scan(database_.get(), value.empty() ? "" : value.data(),
                                   static_cast<unsigned>(value.size()), 0, scratch.scratch_.get(), on_match, &search);
  // Anything else means a scratch that was not prepared for this set, or that is in use.
  GH_CHECK(error == HS_SUCCESS || error == HS_SCAN_TERMINATED);
  return search.found;
}

}  // namespace gatehouse::waf
