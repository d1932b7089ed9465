#pragma once
// Which rules may match at all: the rules' patterns, turned around.
//
// Others take each rule, and for it each variable, and for it each transformation. Here each value of a request is
// brought once into the forms that some rule's transformations give it (most values have one, for nothing touches
// them), and each form is scanned once for the patterns of all rules. What remains are hits, pairs of a rule and a
// value. A rule without a hit needs no look. Its operator is run again on the values that were hit, by PCRE2 with its
// captures, so a hit may be a false alarm, and must never be missing.
//
//   value ── verdict cache ── forms ── for each form: databases whose requirements its bytes meet ── hits
//
// Rules of a paranoia level share a lane. A lane is scanned when the first of its rules is reached, so that a request
// at level 1 pays nothing for the others; and only what has come since is scanned in later phases.
//
// Thread safety: a plan is immutable and shared by all shards; `MatchScratch` belongs to one thread, `ScanState` to one
// transaction.
// Invariants: (1) for a gated rule, the values hit are a superset of those that its operator matches; (2) a rule whose
// pattern the compiler cannot take, that is negated, counts, or looks at what rules themselves change (TX,
// MATCHED_VARS) is not gated. Source: Hyperscan Developer's Reference, "Compiling Patterns", "Serialization".

#include <array>
#include <atomic>
#include <bit>
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
#include "waf/match/hit_list.h"
#include "waf/match/requirements.h"
#include "waf/match/verdict_cache.h"
#include "waf/operator/injection.h"

struct hs_database;
struct hs_scratch;

namespace gatehouse::waf {

struct HsDatabaseDelete {
  void operator()(hs_database* database) const noexcept;
};
struct HsScratchDelete {
  void operator()(hs_scratch* scratch) const noexcept;
};

// Rules of one paranoia level, by their tag `paranoia-level/2`; those without one are with the first.
using Lane = std::uint8_t;
constexpr std::size_t kLanes = 4;

class MatchScratch {
 public:
  struct Statistics {
    std::uint64_t values = 0, forms = 0, scans = 0, bytes = 0;  // bytes: of all scans
  };
  MatchScratch() = default;
  const Statistics& statistics() const noexcept { return statistics_; }
  SqliMemo& sqli() noexcept { return sqli_; }
  VerdictCache* cache() noexcept { return cache_.get(); }
  void without_cache() noexcept { cache_.reset(); }  // to measure what it saves

 private:
  friend class MatchPlan;
  std::unique_ptr<hs_scratch, HsScratchDelete> scratch_;
  std::unique_ptr<VerdictCache> cache_;
  SqliMemo sqli_;
  struct Step {  // the value at a node of a set
    std::string buffer;
    std::string_view text;
    std::size_t form = 0;
  };
  struct Form {
    std::string_view text;
    std::uint64_t chains = 0;  // that make it
  };
  std::vector<Step> steps_;
  std::vector<Form> forms_;
  std::vector<std::uint32_t> found_;  // rules of the value under way
  Statistics statistics_;
};

// How far the values of one transaction have been scanned.
class ScanState {
 public:
  void reset(std::size_t slots) {
    hits_.reset(slots);
    lanes_ = {};
  }
  // The first position at or behind `at` in the phase whose rule must be looked at, as far as is known: rules that are
  // not gated, that have a hit, or whose lane has not been scanned. What is no position of the phase when there is
  // none.
  std::size_t next_candidate(std::size_t at) const noexcept {
    std::size_t word = at / 64;
    if (word >= candidates_.size()) return SIZE_MAX;
    std::uint64_t bits = candidates_[word] & ~std::uint64_t{0} << (at % 64);
    while (bits == 0) {
      if (++word == candidates_.size()) return SIZE_MAX;
      bits = candidates_[word];
    }
    return word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
  }
  bool is_current(Lane lane) const noexcept { return lanes_[lane].current; }
  const HitList& hits() const noexcept { return hits_; }
  std::size_t bytes() const noexcept { return hits_.bytes(); }  // on the heap

 private:
  friend class MatchPlan;
  struct LaneState {
    std::array<std::uint32_t, kValueLists> done{};  // values of each list
    std::uint32_t set_before = 0;                   // single values, by Collections::time_of
    bool current = false;
  };
  HitList hits_;
  std::array<LaneState, kLanes> lanes_{};
  std::size_t phase_ = 1;
  std::vector<std::uint64_t> candidates_;  // by position in the phase
};

class MatchPlan {
 public:
  struct BuildOptions {
    unsigned threads = 2;
    std::string cache_file;  // empty: none. Written when it lacked a database
    std::function<void(std::size_t done, std::size_t total)> progress;  // from any thread
    const std::atomic<bool>* stop = nullptr;  // set: the build fails soon, with ErrorCode::unavailable
  };
  struct Statistics {
    std::size_t gated = 0, databases = 0, patterns = 0, pieces = 0, prefilters = 0, bytes = 0;
    std::size_t compiled = 0;  // databases that the cache did not have
    bool from_cache = false;   // all of them
  };

  // Fails for want of memory, or when the library cannot run on this machine or misses matches on it.
  static Result<std::unique_ptr<const MatchPlan>> build(const Program& program, const BuildOptions& options);

  const Statistics& statistics() const noexcept { return statistics_; }
  Result<MatchScratch> make_scratch() const;

  bool is_gated(std::uint32_t rule) const noexcept { return places_[rule].gated; }
  // A hit of the rule is a match: it only has to be told where, for the record.
  bool proves(std::uint32_t rule) const noexcept { return places_[rule].proves; }
  Lane lane_of(std::uint32_t rule) const noexcept { return places_[rule].lane; }
  std::uint32_t slot_of(std::uint32_t rule) const noexcept { return places_[rule].slot; }
  std::size_t slots() const noexcept { return slots_; }

  // Values may have come or changed since the last one.
  void begin_phase(std::size_t phase, ScanState& state) const;

  // Scans what has come since for the rules of the lane.
  void scan(Lane lane, const Collections& values, MatchScratch& scratch, ScanState& state) const;

 private:
  friend class MatchPlanBuilder;
  // A step of a chain of transformations. Nodes stand in depth-first order; the first is the value itself.
  struct Node {
    Transformation transformation{};
    std::uint16_t parent = 0;
    std::uint64_t chain = 0;  // the bit of the chain that ends here; 0: none
  };
  struct Pattern {
    std::uint32_t rule = 0;
    FieldMask fields;
    std::uint64_t chains = 0;
  };
  // Patterns that require alike of a value.
  struct Database {
    std::unique_ptr<hs_database, HsDatabaseDelete> database;
    Requirements needs;  // of each pattern in it
    FieldMask fields;
    std::uint64_t chains = 0;
    std::vector<Pattern> patterns;  // by the id that a scan reports
  };
  // An operator that is no pattern, run on each form as it is.
  struct Direct {
    std::uint32_t rule = 0;
    OperatorKind kind{};
    FieldMask fields;
    std::uint64_t chains = 0;
    ByteSet allowed;            // of validate_byte_range
    bool every_header = false;  // asks for REQUEST_HEADERS as a whole, or by a pattern
  };
  struct ListField {
    ValueList list{};
    bool names = false;
    Field field = 0;
  };
  // What one lane looks for in fields that mostly the same rules look at.
  struct Set {
    Lane lane = 0;
    FieldMask fields;
    std::vector<Node> nodes;
    ByteSet touched;               // no byte of these: no transformation changes the value
    bool always_changed = false;   // some transformation changes every value
    std::vector<ListField> lists;  // of `fields`, as are the singles
    std::vector<Variable> singles;
    void list_fields();
    std::vector<Database> databases;
    std::vector<Direct> directs;
    std::vector<std::string> direct_headers;  // that some direct asks for by name, lower case
    bool has_header(std::string_view name) const noexcept;
  };
  struct Place {
    bool gated = false, proves = false;
    Lane lane = 0;
    std::uint32_t slot = 0;  // a bit for each chain head, a phase's from a word's begin on
  };
  struct PhaseBits {
    std::size_t first_word = 0;                            // of the slots
    std::vector<std::uint64_t> ungated;                    // by position
    std::array<std::vector<std::uint64_t>, kLanes> lanes;  // gated rules by lane
  };
  using Form = MatchScratch::Form;
  struct Scan;

  void find_candidates(ScanState& state) const;
  // Of a value: where it stands, and whether directs that ask for headers by name may mean it.
  struct Origin {
    Field field = 0;
    bool named = true;
  };
  void scan_value(const Set& set, std::uint32_t domain, Origin origin, std::size_t index, std::string_view value,
                  MatchScratch& scratch, HitList& hits) const;
  void scan_form(const Set& set, Origin origin, const Form& form, const ByteSet& bytes, MatchScratch& scratch) const;
  void run_directs(const Set& set, Origin origin, const Form& form, const ByteSet& bytes, MatchScratch& scratch) const;
  void find_forms(const Set& set, std::string_view value, const ByteSet& bytes, MatchScratch& scratch) const;

  std::array<PhaseBits, Program::kPhases> phases_;
  std::array<std::vector<std::uint32_t>, kLanes> sets_of_;  // indices
  std::vector<Set> sets_;
  std::vector<Place> places_;  // by rule
  std::size_t slots_ = 0;
  Statistics statistics_;
};

}  // namespace gatehouse::waf
