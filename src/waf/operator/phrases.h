#pragma once
// @pm and @pmFromFile: which of many phrases a value holds, letter case aside (ASCII).
//
// Thread safety: PhraseSet is immutable and shared; the working memory belongs to one thread at a time.
// Invariant: a PhraseScratch serves the sets that it was prepared for.
// Source: Hyperscan Developer's Reference, "Pure Literals" and "Scratch Space".

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/operator/operator.h"

struct hs_database;
struct hs_scratch;

namespace gatehouse::waf {

class PhraseSet;

class PhraseScratch {
 public:
  Status prepare(const PhraseSet& set);  // may be called for any number of sets
 private:
  friend class PhraseSet;
  struct ScratchDelete {
    void operator()(hs_scratch* scratch) const noexcept;
  };
  std::unique_ptr<hs_scratch, ScratchDelete> scratch_;
};

struct PhraseMatch {
  std::size_t phrase = 0;  // its index
  Match match;
};

class PhraseSet {
 public:
  // Errors: an empty list, an empty phrase, and one that begins with NUL, which Vectorscan takes for empty.
  static Result<PhraseSet> compile(std::span<const std::string> phrases);

  // The phrase that ends first; the longest, when several end there.
  std::optional<PhraseMatch> find(std::string_view value, PhraseScratch& scratch) const noexcept;

 private:
  friend class PhraseScratch;
  struct DatabaseDelete {
    void operator()(hs_database* database) const noexcept;
  };
  std::unique_ptr<hs_database, DatabaseDelete> database_;
  std::vector<std::uint32_t> sizes_;  // of the phrases
};

}  // namespace gatehouse::waf
