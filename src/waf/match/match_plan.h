#pragma once
// Which rules may match at all: the rules' patterns, turned around.
//
// Others take each rule, and for it each variable, and for it each transformation. Here each value is transformed once
// along the chains that some rule wants and scanned once per chain for the patterns of all its rules; what remains are
// hits, pairs of a rule and a value. A rule without a hit needs no look. Its operator is run again on the values that
// were hit, by PCRE2 with its captures, so a hit may be a false alarm, and must never be missing.
//
// Thread safety: a plan is immutable and shared by all shards; a `MatchScratch` and a `HitList` belong to one thread.
// Invariants: (1) for a gated rule, the values hit are a superset of those that its operator matches; (2) a rule whose
// pattern the compiler cannot take, that is negated, counts, or looks at what rules themselves change (TX,
// MATCHED_VARS) is not gated. Source: Hyperscan Developer's Reference, "Compiling Patterns", "Serialization".

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/byte_set.h"
#include "waf/engine/collections.h"
#include "waf/engine/program.h"
#include "waf/match/fields.h"

struct hs_database;
struct hs_scratch;

namespace gatehouse::waf {

struct HsDatabaseDelete {
  void operator()(hs_database* database) const noexcept;
};
struct HsScratchDelete {
  void operator()(hs_scratch* scratch) const noexcept;
};

// What the scans of one phase found.
class HitList {
 public:
  void reset(std::size_t rules);
  void add(std::uint32_t rule, ItemId item);
  void seal();  // after the last `add`
  bool has(std::uint32_t rule) const noexcept { return (rules_[rule >> 6] >> (rule & 63)) & 1; }
  bool has(std::uint32_t rule, ItemId item) const noexcept;
  std::size_t size() const noexcept { return hits_.size(); }

 private:
  struct Hit {
    std::uint32_t rule;
    ItemId item;
    auto operator<=>(const Hit&) const = default;
  };
  std::vector<std::uint64_t> rules_;  // bits
  std::vector<Hit> hits_;
};

class MatchScratch {
 public:
  MatchScratch() = default;

 private:
  friend class MatchPlan;
  std::unique_ptr<hs_scratch, HsScratchDelete> scratch_;
  std::vector<std::string> buffers_;  // one per depth of a chain
};

class MatchPlan {
 public:
  struct BuildOptions {
    unsigned threads = 2;
    std::string cache_file;  // empty: none. Written when it was missing or of another rule set or library
    std::function<void(std::size_t done, std::size_t total)> progress;  // from any thread
  };
  struct Statistics {
    std::size_t gated = 0, databases = 0, patterns = 0, pieces = 0, prefilters = 0, bytes = 0;
    bool from_cache = false;
  };

  // Fails for want of memory, or when the library cannot run on this machine or misses matches on it.
  static Result<std::unique_ptr<const MatchPlan>> build(const Program& program, const BuildOptions& options);

  bool is_gated(std::uint32_t rule) const noexcept { return gated_[rule]; }
  const Statistics& statistics() const noexcept { return statistics_; }
  Result<MatchScratch> make_scratch() const;

  // Scans all values that gated rules of this phase look at.
  void scan(std::size_t phase, const Collections& values, MatchScratch& scratch, HitList& hits) const;

 private:
  friend class MatchPlanBuilder;
  // A step of a chain of transformations. Nodes stand in depth-first order.
  struct Node {
    Transformation transformation{};
    std::uint16_t depth = 0;  // 0: the value itself
    std::int32_t database = -1;
  };
  // Fields that nearly the same rules look at are scanned for the same patterns.
  struct Group {
    FieldMask fields;
    std::vector<Node> nodes;
  };
  struct Pattern {
    std::uint32_t rule = 0;
    FieldMask fields;
  };
  struct Database {
    std::unique_ptr<hs_database, HsDatabaseDelete> database;
    std::vector<Pattern> patterns;  // by the id that a scan reports
  };
  struct Scan;

  void scan_value(const Group& group, Field field, std::size_t index, std::string_view value, MatchScratch& scratch,
                  HitList& hits) const;

  std::array<std::vector<Group>, Program::kPhases> phases_;
  std::vector<Database> databases_;
  std::vector<bool> gated_;
  Statistics statistics_;
};

}  // namespace gatehouse::waf
