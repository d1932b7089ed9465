#pragma once
// Probes the endpoints of all services with `health`: a GET of the configured path over a connection of its own, by the
// same client that serves requests. An endpoint passes when it answers with a 2xx in time.
//
// Thread safety: one loop (the control loop), called from it only. Bounded: kProbesMax probes at once.

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_map>
#include <vector>

#include "crypto/tls.h"
#include "gateway/upstream/cluster.h"
#include "gateway/upstream/health.h"
#include "net/loop.h"

namespace gatehouse::gateway {

class HealthProber final : private net::Timer::Handler {
 public:
  static constexpr std::size_t kProbesMax = 128;
  using Listener = std::function<void(const Cluster&, const Endpoint&, HealthChange)>;
  struct Service {
    std::shared_ptr<Cluster> cluster;
    std::shared_ptr<crypto::TlsClientContext> tls_http1, tls_http2;  // for its https and its h2 endpoints
  };

  // `listener` is told of changes, for the log.
  HealthProber(net::Loop& loop, std::uint64_t seed, Listener listener);
  ~HealthProber();

  // These are the services now. Clusters that were there before go on where they were.
  void watch(const std::vector<Service>& services);

 private:
  class Probe;
  struct Watched {
    Service service;
    HealthChecker checker;
    MonotonicTime due;
  };
  void on_timer(net::Timer&) override { run(); }
  void run();
  void begin(Watched& watched, Endpoint& endpoint);
  void done(Probe& probe, ProbeResult result);

  net::Loop& loop_;
  Listener listener_;
  std::uint64_t seed_;
  net::Timer timer_{*this};
  std::unordered_map<const Cluster*, Watched> watched_;
  std::unordered_map<Probe*, std::unique_ptr<Probe>> probes_;
};

}  // namespace gatehouse::gateway
