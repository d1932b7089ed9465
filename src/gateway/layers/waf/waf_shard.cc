#include "gateway/layers/waf/waf_shard.h"

#include <utility>

namespace gatehouse::gateway {

void WafLoan::give_back() noexcept {
  if (transaction_ == nullptr) return;
  if (pool_->free.size() < WafPool::kFreeMax) {
    transaction_->end();
    pool_->free.push_back(std::move(transaction_));
  } else {
    transaction_.reset();
  }
  shard_->one_less(*std::exchange(pool_, nullptr));
  timed_ = false;
}

void WafPin::release() noexcept {
  if (pool_ != nullptr) shard_->one_less(*std::exchange(pool_, nullptr));
}

void WafShard::use(const std::shared_ptr<const waf::RuleEngine>& engine) {
  current_ = engine;
  drop_unused();
  if (engine != nullptr) pool_of(engine);
}

void WafShard::lend(const std::shared_ptr<const waf::RuleEngine>& engine, WafLoan& loan) {
  loan.give_back();  // first: it may be the last of its pool
  WafPool& pool = pool_of(engine);
  loan.shard_ = this;
  loan.pool_ = &pool;
  if (pool.free.empty()) {
    loan.transaction_ = std::make_unique<waf::Transaction>(pool.workspace, clock_);
  } else {
    loan.transaction_ = std::move(pool.free.back());
    pool.free.pop_back();
  }
  ++pool.users;
  loan.timed_ = writer_.begin_request();
  if (loan.timed_) pool.counters.resume();
}

void WafShard::pin(const std::shared_ptr<const waf::RuleEngine>& engine, WafPin& pin) {
  pin.release();
  WafPool& pool = pool_of(engine);
  ++pool.users;
  pin.shard_ = this;
  pin.pool_ = &pool;
}

WafPool& WafShard::pool_of(const std::shared_ptr<const waf::RuleEngine>& engine) {
  for (const auto& pool : pools_) {
    if (pool->engine == engine) return *pool;
  }
  pools_.push_back(std::make_unique<WafPool>(engine, writer_));
  return *pools_.back();
}

void WafShard::one_less(WafPool& pool) noexcept {
  if (--pool.users == 0 && pool.engine != current_) drop_unused();
}

void WafShard::drop_unused() noexcept {
  std::erase_if(pools_, [&](const auto& pool) { return pool->users == 0 && pool->engine != current_; });
}

}  // namespace gatehouse::gateway
