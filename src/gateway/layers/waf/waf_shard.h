#pragma once
// What a shard keeps to run inspection rules: working memory for each rule set in use, and transactions that are used
// again.
//
// One shard. Invariants: (1) a rule set's pool lives as long as one of its transactions is out, somebody has it pinned,
// or it is the one in force; (2) no more than kFreeMax transactions wait to be used again. How many are out at once is
// bounded by who holds one over time: `SharedState::inspected`.

#include <cstddef>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "waf/engine/transaction.h"

namespace gatehouse::gateway {

class WafShard;

// One rule set's.
struct WafPool {
  static constexpr std::size_t kFreeMax = 64;

  WafPool(std::shared_ptr<const waf::RuleEngine> rules, waf::RuleStatistics::Writer& writer)
      : engine(std::move(rules)), workspace(*engine), counters(writer.counters_for(*engine->program)) {
    free.reserve(kFreeMax);
  }
  std::shared_ptr<const waf::RuleEngine> engine;
  waf::Workspace workspace;
  waf::RuleStatistics::Counters counters;
  std::vector<std::unique_ptr<waf::Transaction>> free;
  std::size_t users = 0;  // loans and pins
};

// Keeps a rule set's working memory for who comes back for a loan time and again, as a tunnel does whose rules are no
// longer those in force: to make it anew costs more than to judge a message.
class WafPin {
 public:
  WafPin() = default;
  WafPin(const WafPin&) = delete;
  WafPin& operator=(const WafPin&) = delete;
  ~WafPin() { release(); }

  void release() noexcept;

 private:
  friend class WafShard;
  WafShard* shard_ = nullptr;
  WafPool* pool_ = nullptr;
};

// A transaction on loan. Gives it back.
class WafLoan {
 public:
  WafLoan() = default;
  WafLoan(const WafLoan&) = delete;
  WafLoan& operator=(const WafLoan&) = delete;
  ~WafLoan() { give_back(); }

  void give_back() noexcept;
  explicit operator bool() const noexcept { return transaction_ != nullptr; }
  waf::Transaction& operator*() const noexcept { return *transaction_; }
  waf::Transaction* operator->() const noexcept { return transaction_.get(); }

  waf::RuleStatistics::Counters& counters() const noexcept { return pool_->counters; }
  // Null, unless the request is one of those in which time is taken.
  waf::RuleStatistics::Counters* timed() const noexcept { return timed_ ? &pool_->counters : nullptr; }

 private:
  friend class WafShard;
  WafShard* shard_ = nullptr;
  WafPool* pool_ = nullptr;
  std::unique_ptr<waf::Transaction> transaction_;
  bool timed_ = false;
};

class WafShard {
 public:
  // All three are shared with the other shards.
  WafShard(const Clock& clock, waf::PersistentCollections& collections, waf::RuleStatistics& statistics)
      : clock_(clock), collections_(collections), writer_(statistics.add_writer()) {}

  // Makes ready for a rule set, so that the first request does not pay for it. Null: none is in force.
  void use(const std::shared_ptr<const waf::RuleEngine>& engine);
  void lend(const std::shared_ptr<const waf::RuleEngine>& engine, WafLoan& loan);
  void pin(const std::shared_ptr<const waf::RuleEngine>& engine, WafPin& pin);

  std::size_t pools() const noexcept { return pools_.size(); }
  waf::PersistentCollections& collections() noexcept { return collections_; }

  // Where what a route changes for one request is put together; good until the next one is.
  std::vector<const waf::Tuning*>& tunings() noexcept { return tunings_; }
  // Where a compressed body is decoded to; good until the next one is.
  std::string& decoded() noexcept { return decoded_; }

 private:
  friend class WafLoan;
  friend class WafPin;
  WafPool& pool_of(const std::shared_ptr<const waf::RuleEngine>& engine);
  void one_less(WafPool& pool) noexcept;
  void drop_unused() noexcept;

  const Clock& clock_;
  waf::PersistentCollections& collections_;
  waf::RuleStatistics::Writer& writer_;
  std::shared_ptr<const waf::RuleEngine> current_;
  std::vector<std::unique_ptr<WafPool>> pools_;
  std::vector<const waf::Tuning*> tunings_;
  std::string decoded_;
};

}  // namespace gatehouse::gateway
