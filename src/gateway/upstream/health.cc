#include "gateway/upstream/health.h"

#include <algorithm>

namespace gatehouse::gateway {

void HealthChecker::follow(std::span<Endpoint* const> endpoints, MonotonicTime now) {
  ++round_;
  for (Endpoint* const endpoint : endpoints) {
    const auto [at, fresh] = states_.try_emplace(endpoint);
    if (fresh) {
      at->second.due = now;
      endpoint->health.store(Health::unknown, std::memory_order_relaxed);  // what was known before it left is old
    }
    at->second.round = round_;
  }
  std::erase_if(states_, [&](const auto& entry) { return entry.second.round != round_; });
}

Endpoint* HealthChecker::take_due(MonotonicTime now) {
  for (auto& [endpoint, state] : states_) {
    if (state.probing || state.due > now) continue;
    state.probing = true;
    return endpoint;
  }
  return nullptr;
}

MonotonicTime HealthChecker::next_due(MonotonicTime now) const {
  MonotonicTime next = now + config_.interval;
  for (const auto& [endpoint, state] : states_) {
    if (!state.probing) next = std::min(next, state.due);
  }
  return next;
}

HealthChange HealthChecker::result(Endpoint& endpoint, ProbeResult result, MonotonicTime now) {
  const auto at = states_.find(&endpoint);
  if (at == states_.end()) return HealthChange::none;
  State& state = at->second;
  state.probing = false;
  state.due = now + jittered_interval();
  const Health before = endpoint.health.load(std::memory_order_relaxed);
  if (result == ProbeResult::pass) {
    state.fails = 0;
    ++state.passes;
    if (before == Health::healthy || (before == Health::unhealthy && state.passes < config_.healthy_after)) {
      return HealthChange::none;
    }
    endpoint.health.store(Health::healthy, std::memory_order_relaxed);
    return HealthChange::became_healthy;
  }
  state.passes = 0;
  ++state.fails;
  if (before == Health::unhealthy || state.fails < config_.unhealthy_after) return HealthChange::none;
  endpoint.health.store(Health::unhealthy, std::memory_order_relaxed);
  return HealthChange::became_unhealthy;
}

Duration HealthChecker::jittered_interval() noexcept {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const auto tenth = std::max<Duration::rep>(1, config_.interval.count() / 10);
  const auto shift = static_cast<Duration::rep>(random_ % (2 * static_cast<std::uint64_t>(tenth)));
  return config_.interval - Duration(tenth) + Duration(shift);
}

}  // namespace gatehouse::gateway
