#pragma once
// One address of a service, with what all shards know of it together.
//
// Thread safety: what changes is atomic; any shard may read and count. An Endpoint lives as long as its Cluster, also
// after it has left the service's DNS name: connections to it may be open.

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "gateway/config.h"
#include "net/socket.h"

namespace gatehouse::gateway {

enum class Health : std::uint8_t { unknown, healthy, unhealthy };  // by active checks; unknown counts as available
std::string_view name_of(Health health) noexcept;

struct Endpoint {
  Endpoint(const EndpointConfig& endpoint_config, std::uint32_t endpoint_index, const net::SocketAddress& where,
           std::string text)
      : config(&endpoint_config), index(endpoint_index), address(where), name(std::move(text)) {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;

  const EndpointConfig* const config;  // of the Cluster: protocol, TLS, the DNS name
  const std::uint32_t index;           // dense and stable within its Cluster, so that a pool may be an array
  const net::SocketAddress address;
  const std::string name;  // "192.0.2.1:9001", "[2001:db8::1]:80", "unix:/run/x"

  alignas(64) std::atomic<std::uint32_t> active{0};  // attempts in flight
  std::atomic<std::uint32_t> connections{0};         // open, counted by the pools
  std::atomic<Health> health{Health::unknown};
  std::atomic<std::uint32_t> consecutive_errors{0};
  std::atomic<std::int64_t> ejected_until{0};  // nanoseconds of the monotonic clock
  std::atomic<std::uint32_t> times_ejected{0};
  std::atomic<std::uint64_t> requests{0}, errors{0};  // attempts ended

  bool ejected(MonotonicTime now) const noexcept {
    return ejected_until.load(std::memory_order_relaxed) > now.time_since_epoch().count();
  }
  bool available(MonotonicTime now) const noexcept {
    return health.load(std::memory_order_relaxed) != Health::unhealthy && !ejected(now);
  }
};

// For `status` and the dashboard.
struct EndpointStatus {
  std::string name, url;
  Health health = Health::unknown;
  bool ejected = false, in_service = true;  // in_service: still in the configuration or in DNS
  std::uint32_t weight = 0, active = 0, connections = 0, times_ejected = 0;
  std::uint64_t requests = 0, errors = 0;
};

}  // namespace gatehouse::gateway
