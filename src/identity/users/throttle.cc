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
namespace {

constexpr std::string_view kAccount = "account:", kAddress = "address:", kDevice = "device:";

}  // namespace

// Counts by key, in the order of their last failure. The time is asked for under the lock: with one that was asked for
// before it, a try could be earlier than the last one, and would be told to wait for it.
class Throttle::Table {
 public:
  Table(const Clock& clock, const ThrottleOptions& options, std::size_t entries_max)
      : clock_(clock), options_(options), stripe_max_(std::max<std::size_t>(entries_max / kStripes, 1)) {}

  // Zero: taken. Otherwise how long to wait.
  Duration take(std::uint64_t hash, std::uint32_t free) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    const MonotonicTime now = clock_.now();
    Entry& entry = find_or_add(stripe, hash, now);
    if (entry.allowed > now) return entry.allowed - now;
    ++entry.failures;
    entry.last = now;
    entry.allowed = now + delay_after(entry.failures, free);
    return Duration(0);
  }

  // What was taken failed, or `more` did elsewhere: the delay runs from now.
  void confirm(std::uint64_t hash, std::uint32_t free, std::uint32_t more) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    const MonotonicTime now = clock_.now();
    Entry& entry = find_or_add(stripe, hash, now);
    constexpr std::uint32_t kEnough = 1 << 20;  // the delay has reached its bound long before
    entry.failures = std::clamp(entry.failures + std::min(more, kEnough), std::uint32_t{1}, kEnough);
    entry.last = now;
    entry.allowed = now + delay_after(entry.failures, free);
  }

  void give_back(std::uint64_t hash) {
    Stripe& stripe = stripe_of(hash);
    const std::lock_guard lock(stripe.mutex);
    const auto found = stripe.by_hash.find(hash);
    if (found == stripe.by_hash.end()) return;
    Entry& entry = *found->second;
    if (entry.failures > 0) --entry.failures;
    entry.allowed = std::min(entry.allowed, clock_.now());
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

  const Clock& clock_;
  const ThrottleOptions options_;
  const std::size_t stripe_max_;
  std::array<Stripe, kStripes> stripes_;
};

Throttle::Throttle(const Clock& clock, ThrottleOptions options, FailureNews* news)
    : options_(options),
      news_(news),
      accounts_(std::make_unique<Table>(clock, options, options.entries_max)),
      addresses_(std::make_unique<Table>(clock, options, options.entries_max)),
      devices_(std::make_unique<Table>(clock, options, options.entries_max)) {
  GH_CHECK(options.free_per_account > 0 && options.free_per_address > 0 && options.free_per_device > 0);
}

Throttle::~Throttle() = default;

Throttle::Count Throttle::count_of(Table& table, std::string name) const {
  const std::uint64_t hash = crypto::keyed_hash(name);
  std::uint32_t free = options_.free_per_account;
  if (&table == devices_.get()) free = options_.free_per_device;
  if (&table == addresses_.get()) free = options_.free_per_address;
  return {&table, std::move(name), hash, free};
}

std::optional<Throttle::Count> Throttle::named(std::string_view name) {
  if (name.starts_with(kDevice)) return count_of(*devices_, std::string(name));
  if (name.starts_with(kAccount)) return count_of(*accounts_, std::string(name));
  if (name.starts_with(kAddress)) return count_of(*addresses_, std::string(name));
  return std::nullopt;
}

std::vector<Throttle::Count> Throttle::counts_of(const ThrottleKey& key) {
  std::vector<Count> counts;
  if (!key.device.empty()) {
    counts.push_back(
        count_of(*devices_, std::string(kDevice) + std::string(key.device) + ":" + std::string(key.account)));
    return counts;
  }
  IpAddress prefix = key.address;
  if (!prefix.is_v4()) std::fill(prefix.bytes.begin() + 8, prefix.bytes.end(), std::uint8_t{0});
  counts.push_back(count_of(*accounts_, std::string(kAccount) + std::string(key.account)));
  counts.push_back(count_of(*addresses_, std::string(kAddress) + prefix.to_string()));
  return counts;
}

ThrottleDecision Throttle::ask(const ThrottleKey& key) {
  const std::vector<Count> counts = counts_of(key);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const Duration wait = counts[i].table->take(counts[i].hash, counts[i].free);
    if (wait == Duration(0)) continue;
    while (i-- > 0) counts[i].table->give_back(counts[i].hash);
    // Whole seconds, as Retry-After has them, and never zero.
    return {ThrottleDecision::Verdict::wait, std::chrono::ceil<std::chrono::seconds>(wait)};
  }
  return {};
}

void Throttle::failed(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) {
    count.table->confirm(count.hash, count.free, 0);
    if (news_ != nullptr) news_->failed(count.name);
  }
}

void Throttle::succeeded(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) {
    if (count.table == addresses_.get()) {
      count.table->give_back(count.hash);
      continue;
    }
    count.table->forget(count.hash);
    if (news_ != nullptr) news_->forgotten(count.name);
  }
}

void Throttle::not_tried(const ThrottleKey& key) {
  for (const Count& count : counts_of(key)) count.table->give_back(count.hash);
}

void Throttle::failed_elsewhere(std::string_view name, std::uint32_t failures) {
  if (const auto count = named(name)) count->table->confirm(count->hash, count->free, failures);
}

void Throttle::forgotten_elsewhere(std::string_view name) {
  if (const auto count = named(name)) count->table->forget(count->hash);
}

}  // namespace gatehouse::identity
