#include "gateway/layers/bans/ban_table.h"

#include <algorithm>
#include <bit>

#include "gateway/table_key.h"

namespace gatehouse::gateway {
namespace {

IpAddress masked(const IpAddress& address, std::uint8_t prefix) noexcept {
  IpAddress base = address;
  const std::size_t whole = prefix / 8;
  if (whole < 16) {
    base.bytes[whole] = static_cast<std::uint8_t>(base.bytes[whole] & (0xff00u >> prefix % 8));
    std::fill(base.bytes.begin() + static_cast<std::ptrdiff_t>(whole) + 1, base.bytes.end(), std::uint8_t{0});
  }
  return base;
}

std::uint64_t word_of(MonotonicTime time) noexcept {
  return static_cast<std::uint64_t>(time.time_since_epoch().count());
}

}  // namespace

Network ban_network(const IpAddress& address) noexcept {
  return {counted_address(address), static_cast<std::uint8_t>(address.is_v4() ? 128 : 64)};
}

Result<std::unique_ptr<BanTable>> BanTable::create(std::size_t entries_max, const Clock& clock) {
  // Four places a ban: among eight slots that are a quarter full, nobody is pushed out.
  auto words = WordTable::create(entries_max * 4);
  if (!words) return tl::unexpected(std::move(words.error()).while_("bans"));
  return std::unique_ptr<BanTable>(new BanTable(std::move(*words), std::max<std::size_t>(entries_max, 1), clock));
}

std::uint64_t BanTable::key_of(const IpAddress& base, std::uint8_t prefix) noexcept {
  // Not `add(IpAddress)`, which counts by /64: a network may be longer.
  return TableKey()
      .add(std::uint64_t{prefix})
      .add(std::string_view(reinterpret_cast<const char*>(base.bytes.data()), base.bytes.size()))
      .hash();
}

Duration BanTable::banned(const IpAddress& address, MonotonicTime now) const noexcept {
  Duration longest{};
  for (std::size_t i = 0; i < prefixes_.size(); ++i) {
    for (std::uint64_t bits = prefixes_[i].load(std::memory_order_acquire); bits != 0; bits &= bits - 1) {
      const auto prefix = static_cast<std::uint8_t>(i * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      const auto until = words_.load(key_of(masked(address, prefix), prefix));
      if (until && *until > word_of(now)) longest = std::max(longest, Duration(*until - word_of(now)));
    }
  }
  return longest;
}

void BanTable::add(const Network& network, Duration duration, std::string_view reason) {
  const MonotonicTime now = clock_.now();
  const MonotonicTime until = now + std::clamp(duration, Duration(1), kLongest);
  const Network exact{masked(network.base, network.prefix), network.prefix};
  const std::lock_guard lock(mutex_);
  forget_until(now);
  Entry entry{exact, now, until, until, 0, std::string(reason.substr(0, kReasonMax))};
  tell(entry, false);
  put(key_of(exact.base, exact.prefix), std::move(entry));
}

Duration BanTable::add_repeated(const IpAddress& address, Duration first, Duration max, std::string_view reason) {
  const MonotonicTime now = clock_.now();
  const Network network = ban_network(address);
  const std::uint64_t key = key_of(network.base, network.prefix);
  const std::lock_guard lock(mutex_);
  forget_until(now);
  std::uint32_t level = 0;
  if (const auto before = entries_.find(key); before != entries_.end()) {
    if (before->second.until > now) return before->second.until - now;
    level = before->second.level + 1;
  }
  Duration duration = std::clamp(first, Duration(1), kLongest);
  for (std::uint32_t i = 0; i < level && duration < max; ++i) duration *= 2;
  duration = std::min(duration, std::clamp(max, Duration(1), kLongest));
  Entry entry{network, now, now + duration, now + duration + max, level, std::string(reason.substr(0, kReasonMax))};
  tell(entry, false);
  put(key, std::move(entry));
  repeated_.fetch_add(1, std::memory_order_relaxed);
  return duration;
}

void BanTable::put(std::uint64_t key, Entry entry) {
  revision_.fetch_add(1, std::memory_order_relaxed);
  if (const auto before = entries_.find(key); before != entries_.end()) drop(before);
  if (entries_.size() >= entries_max_) drop(entries_.find(by_forget_.begin()->second));
  const std::uint64_t until = word_of(entry.until);
  by_forget_.emplace(entry.forget, key);
  count_prefix(entry.network.prefix, 1);
  entries_.emplace(key, std::move(entry));
  const auto update = words_.update(key, [until](std::optional<std::uint64_t>) { return std::optional(until); });
  if (update.evicted_key == 0) return;
  if (const auto pushed_out = entries_.find(update.evicted_key); pushed_out != entries_.end()) drop(pushed_out);
}

void BanTable::drop(Entries::iterator at) {
  revision_.fetch_add(1, std::memory_order_relaxed);
  words_.update(at->first,
                [](std::optional<std::uint64_t> word) { return word ? std::optional<std::uint64_t>(0) : word; });
  by_forget_.erase({at->second.forget, at->first});
  count_prefix(at->second.network.prefix, -1);
  entries_.erase(at);
}

void BanTable::forget_until(MonotonicTime now) {
  while (!by_forget_.empty() && by_forget_.begin()->first <= now) drop(entries_.find(by_forget_.begin()->second));
}

void BanTable::count_prefix(std::uint8_t prefix, int by) noexcept {
  std::uint32_t& count = prefix_counts_[prefix];
  count = static_cast<std::uint32_t>(static_cast<int>(count) + by);
  const std::uint64_t bit = std::uint64_t{1} << prefix % 64;
  if (count == 0) {
    prefixes_[prefix / 64].fetch_and(~bit, std::memory_order_release);
  } else {
    prefixes_[prefix / 64].fetch_or(bit, std::memory_order_release);
  }
}

bool BanTable::remove(const Network& network) {
  const Network exact{masked(network.base, network.prefix), network.prefix};
  const std::lock_guard lock(mutex_);
  const auto at = entries_.find(key_of(exact.base, exact.prefix));
  if (at == entries_.end()) return false;
  const bool in_force = at->second.until > clock_.now();
  tell(at->second, true);
  drop(at);
  return in_force;
}

void BanTable::forget(const Network& network) {
  const Network exact{masked(network.base, network.prefix), network.prefix};
  const std::lock_guard lock(mutex_);
  if (const auto at = entries_.find(key_of(exact.base, exact.prefix)); at != entries_.end()) drop(at);
}

void BanTable::tell(const Entry& entry, bool lifted) const {
  if (told_) told_(ban_of(entry, clock_.now(), clock_.wall()), lifted);
}

Ban BanTable::ban_of(const Entry& entry, MonotonicTime now, WallTime wall) {
  return {entry.network, wall - (now - entry.since), wall + (entry.until - now), entry.level,
          entry.reason,  wall + (entry.forget - now)};
}

std::vector<Ban> BanTable::list() const {
  const MonotonicTime now = clock_.now();
  const WallTime wall = clock_.wall();
  std::vector<Ban> bans;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [key, entry] : entries_) {
      if (entry.until <= now) continue;
      bans.push_back(ban_of(entry, now, wall));
    }
  }
  std::sort(bans.begin(), bans.end(), [](const Ban& a, const Ban& b) { return a.until < b.until; });
  return bans;
}

std::vector<Ban> BanTable::remembered() const {
  const MonotonicTime now = clock_.now();
  const WallTime wall = clock_.wall();
  std::vector<Ban> bans;
  const std::lock_guard lock(mutex_);
  for (const auto& [forget, key] : by_forget_) {
    if (forget <= now) continue;
    bans.push_back(ban_of(entries_.at(key), now, wall));
  }
  return bans;
}

void BanTable::restore(const Ban& ban) {
  const MonotonicTime now = clock_.now();
  const WallTime wall = clock_.wall();
  const auto monotonic = [&](WallTime time) { return now + std::clamp(time - wall, -kLongest, kLongest); };
  const Network exact{masked(ban.network.base, ban.network.prefix), ban.network.prefix};
  const MonotonicTime until = std::max(monotonic(ban.until), MonotonicTime(Duration(1)));
  const std::lock_guard lock(mutex_);
  forget_until(now);
  put(key_of(exact.base, exact.prefix), {exact, monotonic(ban.since), until, std::max(until, monotonic(ban.forget)),
                                         ban.level, ban.reason.substr(0, kReasonMax)});
}

std::size_t BanTable::size() const {
  const MonotonicTime now = clock_.now();
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.second.until > now; }));
}

}  // namespace gatehouse::gateway
