#pragma once
// From rules to a MatchPlan: which rules are gated, what is scanned for where, and the databases, compiled or from the
// cache. Private to match/.

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "crypto/digest.h"
#include "waf/match/match_plan.h"

namespace gatehouse::waf {

// One expression for the pattern compiler, and how.
struct Expression {
  std::string text;
  unsigned flags = 0;
  friend bool operator==(const Expression&, const Expression&) = default;
};

// What the compiler can take of a rule's operator; empty: the rule is not gated.
std::vector<Expression> expressions_of(const CompiledRule& rule);

class MatchPlanBuilder {
 public:
  MatchPlanBuilder(const Program& program, const MatchPlan::BuildOptions& options)
      : program_(program), options_(options) {}
  Result<std::unique_ptr<const MatchPlan>> build();

 private:
  using Chain = std::vector<Transformation>;
  struct Job {  // a database to be compiled
    std::vector<const Expression*> expressions;
    std::vector<MatchPlan::Pattern> patterns;
  };
  // phase, class of fields, chain
  using Key = std::pair<std::pair<std::size_t, std::size_t>, Chain>;

  void find_expressions();
  void group();
  void add_nodes(MatchPlan::Group& group, std::size_t phase, std::size_t field_class);
  Status compile_databases();
  crypto::Sha256 fingerprint() const;
  bool load_cache(const crypto::Sha256& key);
  void store_cache(const crypto::Sha256& key) const;
  void each_in_parallel(std::size_t count, const std::function<void(std::size_t)>& work);

  const Program& program_;
  const MatchPlan::BuildOptions& options_;
  std::unique_ptr<MatchPlan> plan_{new MatchPlan};
  std::vector<std::vector<Expression>> expressions_;  // by rule
  std::map<Key, Job> jobs_;
  std::vector<Job*> by_database_;
  std::mutex mutex_;
  std::size_t done_ = 0, total_ = 0;
};

}  // namespace gatehouse::waf
