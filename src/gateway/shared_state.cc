#include "gateway/shared_state.h"

#include <algorithm>

#include "gateway/table_key.h"

namespace gatehouse::gateway {
namespace {
constexpr std::size_t kBansMax = 1 << 16;
constexpr std::size_t kPenaltiesMax = 1 << 18;
constexpr std::size_t kInFlightMax = 1 << 17;
std::uint64_t key_of(const IpAddress& address) noexcept { return TableKey().add(address).hash(); }
}  // namespace

bool ConnectionTable::acquire(const IpAddress& address, std::uint32_t max) noexcept {
  return counts_.acquire(key_of(address), max) == CountTable::Acquired::ok;
}
void ConnectionTable::release(const IpAddress& address) noexcept { counts_.release(key_of(address)); }
std::uint32_t ConnectionTable::count(const IpAddress& address) const noexcept { return counts_.count(key_of(address)); }

Result<std::unique_ptr<SharedState>> SharedState::create(const Config& config, const Clock& clock) {
  std::size_t connections = 0;
  for (const ListenerConfig& listener : config.listeners) connections += listener.limits.connections;
  auto rate = RateTable::create(config.rate_entries_max);
  if (!rate) return tl::unexpected(std::move(rate.error()));
  auto in_flight = CountTable::create(kInFlightMax);
  if (!in_flight) return tl::unexpected(std::move(in_flight.error()).while_("requests in flight"));
  auto bans = BanTable::create(kBansMax, clock);
  if (!bans) return tl::unexpected(std::move(bans.error()));
  auto penalties = PenaltyTable::create(kPenaltiesMax);
  if (!penalties) return tl::unexpected(std::move(penalties.error()));
  // Twice what can be open: at half load a connection of a new address always finds a place. Reloads may add listeners,
  // hence the floor.
  auto open = CountTable::create(std::max<std::size_t>(2 * connections, 1 << 17));
  if (!open) return tl::unexpected(std::move(open.error()).while_("connections by address"));
  return std::unique_ptr<SharedState>(new SharedState(std::move(*rate), std::move(*in_flight), std::move(*bans),
                                                      std::move(*penalties), std::move(*open), clock));
}

void SharedState::set_names(const crypto::HashKey& key) {
  const std::lock_guard lock(names_mutex_);
  if (names() == key) return;
  names_.store(&agreed_names_.emplace_back(key), std::memory_order_release);
}

bool SharedState::count_attack(std::uint64_t key, std::uint32_t attacks, const AttackRule& rule,
                               const IpAddress& client, std::string_view why) {
  const MonotonicTime now = clock_.now();
  if (penalties_.add(key, rule.window, rule.threshold, now, attacks) < rule.threshold) return false;
  penalties_.forgive(key, now);
  bans_->add_repeated(client, rule.ban, rule.ban_max, why);
  return true;
}

}  // namespace gatehouse::gateway
