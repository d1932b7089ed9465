#pragma once
// From rules to a MatchPlan: which rules are gated, what is scanned for where, and the databases, compiled or from the
// cache. Private to match/.

#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/digest.h"
#include "waf/match/match_plan.h"
#include "waf/match/requirements.h"

namespace gatehouse::waf {

// One expression for the pattern compiler, how, and what it requires of a value.
struct Expression {
  std::string text;
  unsigned flags = 0;
  bool literal = false;
  Requirements requires_of;
};

// What the compiler can take of a pattern; empty: nothing, the rule is not gated. Slow: it tries.
std::vector<Expression> expressions_of_regex(const std::string& pattern);
std::vector<Expression> expressions_of_phrases(const std::vector<std::string>& phrases);
// Whether hits can be found before the rule is evaluated, if its operator can be.
bool may_be_gated(const CompiledRule& rule) noexcept;
bool is_direct(OperatorKind kind) noexcept;

// What a file keeps from one start to the next.
struct MatchCache {
  std::map<std::string, std::vector<Expression>, std::less<>> expressions;  // by pattern, without requirements
  // Serialised, by the digest of what is in it; views into `bytes`, for they are tens of megabytes.
  std::map<std::string, std::string_view, std::less<>> databases;
  std::deque<std::string> bytes;

  static MatchCache read(const std::string& file);  // empty when it is missing, damaged or of another library
  void write(const std::string& file) const;
};

// Expressions of one set put together by what they require of a value.
struct Bundle {
  ByteSet needs;                     // the rarest requirement of each, together
  std::vector<std::size_t> members;  // indices of the expressions
};
std::vector<Bundle> bundle(const std::vector<const Expression*>& expressions);

class MatchPlanBuilder {
 public:
  MatchPlanBuilder(const Program& program, const MatchPlan::BuildOptions& options)
      : program_(program), options_(options) {}
  Result<std::unique_ptr<const MatchPlan>> build();

 private:
  using Chain = std::vector<Transformation>;
  struct Member {  // a pattern of a set
    const Expression* expression = nullptr;
    MatchPlan::Pattern pattern;
  };
  struct Draft {  // a set in the making
    std::map<Chain, std::uint64_t> chains;
    std::vector<Member> members;
  };
  struct Job {  // a database to be compiled
    MatchPlan::Database* into = nullptr;
    std::vector<const Expression*> expressions;
    std::string key;
  };

  Status find_expressions();
  void place_rules();
  void draft_sets();
  bool join(Draft& draft, std::uint32_t head, const FieldMask& mask);
  void finish_set(Lane lane, Draft& draft);
  void add_direct(MatchPlan::Set& set, const MatchPlan::Pattern& pattern) const;
  void add_nodes(MatchPlan::Set& set, const Draft& draft) const;
  Status fill_databases();
  Status compile(Job& job);
  void write_cache();
  void drop_refused();
  Status each_in_parallel(std::size_t count, const std::function<Status(std::size_t)>& work);

  const Program& program_;
  const MatchPlan::BuildOptions& options_;
  std::unique_ptr<MatchPlan> plan_{new MatchPlan};
  MatchCache cache_;
  std::vector<const std::vector<Expression>*> expressions_;  // by rule; null: not gated by patterns
  std::map<const Rule*, std::vector<Expression>> phrases_;
  std::map<std::pair<Lane, std::size_t>, Draft> drafts_;                            // by lane and class of fields
  std::map<std::pair<std::size_t, std::size_t>, std::vector<Member>> by_database_;  // by set and database
  std::vector<Job> jobs_;
  std::set<std::uint32_t> refused_;  // rules of which the compiler did not take a pattern
  std::mutex mutex_;
  std::size_t done_ = 0, total_ = 0;
};

}  // namespace gatehouse::waf
