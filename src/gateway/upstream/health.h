#pragma once
// Active health checks of one service: which endpoint is to be probed when, and what the results mean. Sans-I/O; the
// probing itself is health_prober.h.
//
//   unknown ── first pass ──> healthy ── `unhealthy_after` fails in a row ──> unhealthy
//      └───── `unhealthy_after` fails in a row ──────────────────────────────────^  │
//                               healthy <── `healthy_after` passes in a row ────────┘
//
// An endpoint of unknown health counts as available: services start together with their gateway, and the circuit and
// the outlier detector are there from the first request. New endpoints are probed at once, then every `interval`,
// shifted by up to a tenth so that gateways do not probe in step.
//
// Thread safety: one thread; it writes `Endpoint::health`, which every shard reads.

#include <cstdint>
#include <span>
#include <unordered_map>

#include "gateway/config.h"
#include "gateway/upstream/endpoint.h"

namespace gatehouse::gateway {

enum class ProbeResult : std::uint8_t { pass, fail };
enum class HealthChange : std::uint8_t { none, became_healthy, became_unhealthy };

class HealthChecker {
 public:
  HealthChecker(const HealthConfig& config, std::uint64_t seed) noexcept : config_(config), random_(seed | 1) {}

  // These are in service now. What is known of those that stay is kept; those that left are forgotten.
  void follow(std::span<Endpoint* const> endpoints, MonotonicTime now);
  // An endpoint to probe now, or null. It is not due again before its `result`.
  Endpoint* take_due(MonotonicTime now);
  // Not before this is there anything to do; at most one interval from now.
  MonotonicTime next_due(MonotonicTime now) const;
  // Results of endpoints that have left meanwhile are ignored.
  HealthChange result(Endpoint& endpoint, ProbeResult result, MonotonicTime now);

  const HealthConfig& config() const noexcept { return config_; }

 private:
  struct State {
    MonotonicTime due{};
    std::uint32_t passes = 0, fails = 0;  // in a row
    bool probing = false;
    std::uint32_t round = 0;  // of `follow`
  };
  Duration jittered_interval() noexcept;

  const HealthConfig config_;
  std::uint64_t random_;
  std::uint32_t round_ = 0;
  std::unordered_map<Endpoint*, State> states_;
};

}  // namespace gatehouse::gateway
