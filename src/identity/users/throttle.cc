#include "identity/users/throttle.h"

#include <algorithm>
#include <array>
#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "crypto/keyed_hash.h"

namespace gatehouse::identity {

// Counts by key, in the order of their last failure.
class Throttle::Table {
 public:
  Table(const ThrottleOptions& options, std::size_t entries_max)
      : options_(options), stripe_max_(std::max<std::size_t>(entries_max / kStripes, 1)) {}

  // Zero: taken. Otherwise how long to wait.
  Duration take(std::uint64_t hash, std::uint32_t free, MonotonicTime now) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    Entry& entry = find_or_add(stripe, hash, now);
    if (entry.allowed > now) return entry.allowed - now;
    ++entry.failures;
    entry.last = now;
    entry.allowed = now + delay_after(entry.failures, free);
    return Duration(0);
  }

  // It failed: the delay runs from now, by the larger of the counts.
  void confirm(std::uint64_t hash, std::uint32_t free, std::uint32_t elsewhere, MonotonicTime now) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    Entry& entry = find_or_add(stripe, hash, now);
    entry.failures = std::max({entry.failures, elsewhere, std::uint32_t{1}});
    entry.last = now;
    entry.allowed = now + delay_after(entry.failures, free);
  }

  void give_back(std::uint64_t hash, MonotonicTime now) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    const auto found = stripe.by_hash.find(hash);
    if (found == stripe.by_hash.end()) return;
    Entry& entry = *found->second;
    if (entry.failures > 0) --entry.failures;
    entry.allowed = std::min(entry.allowed, now);
  }

  void forget(std::uint64_t hash) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    const auto found = stripe.by_hash.find(hash);
    if (found == stripe.by_hash.end()) return;
    stripe.entries.erase(found->second);
    stripe.by_hash.erase(found);
  }

 private:
  struct Entry {
    std::uint64_t hash = 0;
    std::uint32_t failures = 0;
    MonotonicTime last{}, allowed{};
  };
  struct Stripe {
    std::mutex mutex;
    std::list<Entry> entries;  // the latest first
    std::unordered_map<std::uint64_t, std::list<Entry>::iterator> by_hash;
  };
  static constexpr std::size_t kStripes = 16;
  static constexpr int kCandidates = 8;

  Stripe& stripe_of(std::uint64_t hash) noexcept { return stripes_[hash % kStripes]; }

  Duration delay_after(std::uint32_t failures, std::uint32_t free) const noexcept {
    if (failures < free) return Duration(0);
    const std::uint32_t doublings = std::min(failures - free, 30U);
    return std::min(options_.delay * (std::int64_t{1} << doublings), options_.delay_max);
  }

  Entry& find_or_add(Stripe& stripe, std::uint64_t hash, MonotonicTime now) {
    if (const auto found = stripe.by_hash.find(hash); found != stripe.by_hash.end()) {
      stripe.entries.splice(stripe.entries.begin(), stripe.entries, found->second);
      Entry& entry = stripe.entries.front();
      if (now - entry.last >= options_.window) entry = {hash, 0, now, {}};
      return entry;
    }
    if (stripe.entries.size() >= stripe_max_) evict(stripe);
    stripe.entries.push_front({hash, 0, now, {}});
    stripe.by_hash.emplace(hash, stripe.entries.begin());
    return stripe.entries.front();
  }

  static void evict(Stripe& stripe) {
    auto victim = std::prev(stripe.entries.end());
    auto at = victim;
    for (int i = 1; i < kCandidates && at != stripe.entries.begin(); ++i) {
      if (--at; at->failures < victim->failures) victim = at;
    }
    stripe.by_hash.erase(victim->hash);
    stripe.entries.erase(victim);
  }

  const ThrottleOptions options_;
  const std::size_t stripe_max_;
  std::array<Stripe, kStripes> stripes_;
};

Throttle::Throttle(const Clock& clock, ThrottleOptions options, SharedFailures* shared)
    : clock_(clock),
      options_(options),
      shared_(shared),
      accounts_(std::make_unique<Table>(options, options.entries_max)),
      addresses_(std::make_unique<Table>(options, options.entries_max)),
      devices_(std::make_unique<Table>(options, options.entries_max)) {
  GH_CHECK(options.free_per_account > 0 && options.free_per_address > 0 && options.free_per_device > 0);
}

Throttle::~Throttle() = default;

std::vector<Throttle::Count> Throttle::counts_of(const ThrottleKey& key) {
  const auto count = [](Table& table, std::string name, std::uint32_t free) {
    const std::uint64_t hash = crypto::keyed_hash(name);
    return Count{&table, std::move(name), hash, free};
  };
  std::vector<Count> counts;
  if (!key.device.empty()) {
    counts.push_back(count(*devices_, "device:" + std::string(key.device) + ":" + std::string(key.account),
                           options_.free_per_device));
    return counts;
  }
  IpAddress prefix = key.address;
  if (!prefix.is_v4()) std::fill(prefix.bytes.begin() + 8, prefix.bytes.end(), std::uint8_t{0});
  counts.push_back(count(*accounts_, "account:" + std::string(key.account), options_.free_per_account));
  counts.push_back(count(*addresses_, "address:" + prefix.to_string(), options_.free_per_address));
  return counts;
}

ThrottleDecision Throttle::ask(const ThrottleKey& key) {
  const MonotonicTime now = clock_.now();
  const std::vector<Count> counts = counts_of(key);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Duration wait = counts[i].table->take(counts[i].hash, counts[i].free, now);
    if (wait == Duration(0)) continue;
    while (i-- > 0) counts[i].table->give_back(counts[i].hash, now);
    // Whole seconds, as Retry-After has them, and never zero.
    return {ThrottleDecision::Verdict::wait, std::chrono::ceil<std::chrono::seconds>(wait)};
  }
  return {};
}

void Throttle::failed(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) {
    std::uint32_t elsewhere = 0;
    if (shared_ != nullptr) elsewhere = shared_->add(count.name, 1, options_.window).value_or(0);
    count.table->confirm(count.hash, count.free, elsewhere, clock_.now());
  }
}

void Throttle::succeeded(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) {
    if (count.table == addresses_.get()) {
      count.table->give_back(count.hash, clock_.now());
      continue;
    }
    count.table->forget(count.hash);
    if (shared_ != nullptr) shared_->forget(count.name);
  }
}

void Throttle::not_tried(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) count.table->give_back(count.hash, clock_.now());
}

}  // namespace gatehouse::identity
