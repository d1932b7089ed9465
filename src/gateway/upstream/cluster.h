#pragma once
// A service at run time: its endpoints and everything about them that all shards share.
//
// Thread safety: unless marked otherwise, any shard may call; the request path takes no lock. The set of endpoints is
// an immutable snapshot that `update` replaces; a reader announces what it reads (published.h), so the old one is freed
// as soon as nobody looks at it. Endpoints themselves stay until the Cluster is destroyed, so an `Endpoint*` is good
// for whoever holds the Cluster. Invariants: (1) `pick` gives an available endpoint or none. When none is available the
// answer is 503, never "try a dead one anyway": an unknown state denies. (2) Ejection never takes the last available
// endpoint, nor more than `max_ejected_percent` of them (but always one, where there are two). (3) At most
// kEndpointsMax addresses are known over a Cluster's life; further ones are dropped and counted.
//
// Life of a request: admit_request, then for each attempt pick → attempt_begun → ... → attempt_ended. A connection
// holds an Admission of `connections()`, and a request one of `pending()` while it waits in `queue()` because all of
// them are in use.

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/config.h"
#include "gateway/upstream/balancer.h"
#include "gateway/upstream/circuit.h"
#include "gateway/upstream/connection_queue.h"
#include "gateway/upstream/endpoint.h"
#include "gateway/upstream/published.h"
#include "gateway/upstream/retry.h"

namespace gatehouse::gateway {

enum class PickFailure : std::uint8_t {
  none,
  no_endpoint,     // no name has been resolved yet, or none has addresses
  none_available,  // all are unhealthy or ejected
};
std::string_view reason_code(PickFailure failure) noexcept;  // "upstream.no_endpoint", "upstream.unhealthy"

struct Pick {
  Endpoint* endpoint = nullptr;
  PickFailure failure = PickFailure::none;
};

enum class AttemptOutcome : std::uint8_t {
  success,  // an answer below 500
  error,    // 5xx, or no complete answer for which the upstream is to blame
  unknown,  // the client gave up, or a limit of ours: says nothing about the endpoint
};

// One address that a configured endpoint's name has.
struct ResolvedAddress {
  net::SocketAddress address;
  std::uint32_t weight = 1;
  std::uint32_t rank = 0;  // as in net::DnsRecord
};

class Cluster {
 public:
  static constexpr std::size_t kEndpointsMax = 4096;

  explicit Cluster(ServiceConfig config);
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;
  ~Cluster();

  const ServiceConfig& config() const noexcept { return config_; }
  const std::string& name() const noexcept { return config_.name; }

  // Once per request, whatever its attempts: counts it for the retry budget. Empty when the circuit is open.
  Admission admit_request(MonotonicTime now) noexcept;
  // `context.tried` are avoided while another endpoint is available.
  Pick pick(const PickContext& context) noexcept;
  void attempt_begun(Endpoint& endpoint) noexcept;
  void attempt_ended(Endpoint& endpoint, AttemptOutcome outcome, MonotonicTime now) noexcept;

  Limit& connections() noexcept { return connections_; }
  Limit& pending() noexcept { return pending_; }
  Limit& requests() noexcept { return requests_; }
  ConnectionQueue& queue() noexcept { return queue_; }
  RetryBudget& retry_budget() noexcept { return retry_budget_; }

  // Control thread: the addresses of `config().endpoints[index]` are now these. False when nothing changed.
  bool update(std::size_t index, std::span<const ResolvedAddress> addresses);
  // Which of the configured endpoints have a name to resolve.
  static bool needs_resolving(const EndpointConfig& endpoint) noexcept;

  // Not for the request path (they take a lock). Pointers as `pick`'s.
  std::vector<Endpoint*> endpoints() const;                     // in service
  std::vector<EndpointStatus> status(MonotonicTime now) const;  // all that are in service or still busy
  std::uint64_t endpoints_dropped() const noexcept { return dropped_.load(std::memory_order_relaxed); }

 private:
  void consider_ejection(Endpoint& endpoint, MonotonicTime now) noexcept;
  Endpoint* endpoint_for(std::size_t index, const net::SocketAddress& address);
  void publish();

  const ServiceConfig config_;
  Balancer balancer_;
  Published<RankedEndpoints> set_;
  Limit connections_, pending_, requests_;
  ConnectionQueue queue_;
  RetryBudget retry_budget_;
  std::atomic<std::uint32_t> active_{0};  // attempts in flight; counted for Balance::hash alone
  std::atomic<bool> ejecting_{false};     // one shard at a time decides; the others don't wait
  std::atomic<std::uint64_t> dropped_{0};

  mutable std::mutex mutex_;  // of what follows
  std::vector<std::unique_ptr<Endpoint>> all_;
  std::vector<std::vector<ResolvedAddress>> resolved_;  // by configured endpoint
};

// The clusters of a configuration, by service index. Those whose ServiceConfig did not change are taken over from
// `previous` with everything they know: health, ejections, connections, resolved names.
std::vector<std::shared_ptr<Cluster>> build_clusters(const Config& config,
                                                     std::span<const std::shared_ptr<Cluster>> previous);

}  // namespace gatehouse::gateway
