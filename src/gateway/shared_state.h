#pragma once
// What the layers remember between requests: one per process, shared by all shards, kept over reloads. Everything in it
// is bounded and may be used from any thread; who takes a lock, and when, is said in each table's header.
//
// Sizes are fixed at start (a reload that changes `state.rate_entries` takes effect with the next start).

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>

#include "crypto/keyed_hash.h"
#include "gateway/config.h"
#include "gateway/count_table.h"
#include "gateway/layers/authentication/token_cache.h"
#include "gateway/layers/bans/ban_table.h"
#include "gateway/layers/penalties/penalty_table.h"
#include "gateway/layers/rate/rate_table.h"
#include "gateway/sharing/sharing_desk.h"
#include "waf/engine/persistent_collections.h"
#include "waf/engine/rule_statistics.h"

namespace gatehouse::gateway {

// A number of things that may exist at once.
class Gauge {
 public:
  bool acquire(std::uint32_t max) noexcept {
    std::uint32_t now = count_.load(std::memory_order_relaxed);
    while (now < max) {
      if (count_.compare_exchange_weak(now, now + 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  void release() noexcept { count_.fetch_sub(1, std::memory_order_relaxed); }
  std::uint32_t count() const noexcept { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> count_{0};
};

// Bytes held back for inspection, over all shards.
class ByteBudget {
 public:
  bool take(std::uint64_t bytes, std::uint64_t max) noexcept {
    if (held_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= max) return true;
    give_back(bytes);
    return false;
  }
  void give_back(std::uint64_t bytes) noexcept { held_.fetch_sub(bytes, std::memory_order_relaxed); }
  std::uint64_t held() const noexcept { return held_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> held_{0};
};

// Open connections per client address, over all listeners and shards; an IPv6 address counts with its /64. The listener
// acquires at accept and releases at close.
class ConnectionTable {
 public:
  explicit ConnectionTable(CountTable counts) noexcept : counts_(std::move(counts)) {}
  // False: the address has `max` connections already (or the table is full): refuse.
  bool acquire(const IpAddress& address, std::uint32_t max) noexcept;
  void release(const IpAddress& address) noexcept;
  std::uint32_t count(const IpAddress& address) const noexcept;

 private:
  CountTable counts_;
};

class SharedState {
 public:
  static Result<std::unique_ptr<SharedState>> create(const Config& config, const Clock& clock);

  RateTable& rate() noexcept { return rate_; }
  CountTable& in_flight() noexcept { return in_flight_; }
  BanTable& bans() noexcept { return *bans_; }
  const BanTable& bans() const noexcept { return *bans_; }
  PenaltyTable& penalties() noexcept { return penalties_; }
  ConnectionTable& connections() noexcept { return connections_; }
  TokenLookups& token_lookups() noexcept { return token_lookups_; }
  SharingDesk& desk() noexcept { return desk_; }  // what other gateways should know
  // Under which keys of rates and penalties are made: this process's own, or the one agreed with other gateways. What
  // was counted under the one before is forgotten with it.
  const crypto::HashKey& names() const noexcept { return *names_.load(std::memory_order_acquire); }
  void set_names(const crypto::HashKey& key);
  struct AttackRule {
    Duration window;
    std::uint32_t threshold;
    Duration ban, ban_max;
  };
  // Counts attacks of an address; true: with these it is banned.
  bool count_attack(std::uint64_t key, std::uint32_t attacks, const AttackRule& rule, const IpAddress& client,
                    std::string_view why);
  Gauge& parked() noexcept { return parked_; }             // requests held back by penalties
  ByteBudget& inspected() noexcept { return inspected_; }  // bodies that wait for the end of their inspection
  Gauge& encoders() noexcept { return encoders_; }         // responses being compressed
  waf::MemoryCollections& collections() noexcept { return collections_; }  // what inspection rules keep of a client
  waf::RuleStatistics& rule_statistics() noexcept { return rule_statistics_; }

 private:
  SharedState(RateTable rate, CountTable in_flight, std::unique_ptr<BanTable> bans, PenaltyTable penalties,
              CountTable connections, const Clock& clock)
      : rate_(std::move(rate)),
        in_flight_(std::move(in_flight)),
        bans_(std::move(bans)),
        penalties_(std::move(penalties)),
        connections_(std::move(connections)),
        collections_(clock),
        clock_(clock),
        rule_statistics_(clock, static_cast<std::uint64_t>(clock.now().time_since_epoch().count())) {}

  RateTable rate_;
  CountTable in_flight_;
  std::unique_ptr<BanTable> bans_;
  PenaltyTable penalties_;
  ConnectionTable connections_;
  SharingDesk desk_;
  std::atomic<const crypto::HashKey*> names_{&crypto::process_hash_key()};
  std::mutex names_mutex_;
  std::deque<crypto::HashKey> agreed_names_;  // readers may still hold those of before
  TokenLookups token_lookups_;
  Gauge parked_;
  ByteBudget inspected_;
  Gauge encoders_;
  waf::MemoryCollections collections_;
  const Clock& clock_;
  waf::RuleStatistics rule_statistics_;
};

}  // namespace gatehouse::gateway
