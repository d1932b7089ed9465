#include "gateway/layers/waf/waf_shard.h"

#include <utility>

namespace gatehouse::gateway {

void WafLoan::give_back() noexcept {
  if (transaction_ == nullptr) return;
  --pool_->out;
  if (pool_->free.size() < kFreeMax) {
    transaction_->end();
    pool_->free.push_back(std::move(transaction_));
  } else {
    transaction_.reset();
  }
  if (pool_->out == 0 && pool_->engine != shard_->current_) shard_->drop_unused();
  pool_ = nullptr;
  timed_ = false;
}

void WafShard::use(const std::shared_ptr<const waf::RuleEngine>& engine) {
  current_ = engine;
  drop_unused();
  if (engine != nullptr) pool_of(engine);
}

void WafShard::lend(const std::shared_ptr<const waf::RuleEngine>& engine, WafLoan& loan) {
  WafLoan::Pool& pool = pool_of(engine);
  loan.give_back();
  loan.shard_ = this;
  loan.pool_ = &pool;
  if (pool.free.empty()) {
    loan.transaction_ = std::make_unique<waf::Transaction>(pool.workspace, clock_);
  } else {
    loan.transaction_ = std::move(pool.free.back());
    pool.free.pop_back();
  }
  ++pool.out;
  loan.timed_ = writer_.begin_request();
  if (loan.timed_) pool.counters.resume();
}

WafLoan::Pool& WafShard::pool_of(const std::shared_ptr<const waf::RuleEngine>& engine) {
  for (const auto& pool : pools_) {
    if (pool->engine == engine) return *pool;
  }
  pools_.push_back(std::make_unique<WafLoan::Pool>(engine, writer_));
  return *pools_.back();
}

void WafShard::drop_unused() noexcept {
  std::erase_if(pools_, [&](const auto& pool) { return pool->out == 0 && pool->engine != current_; });
}

}  // namespace gatehouse::gateway
