#pragma once
// This shard's connections to upstream endpoints: idle HTTP/1.1 ones are taken last-in-first-out, HTTP/2 ones are
// shared.
//
// One shard. The pool owns the connections; they count themselves in `Endpoint::connections`. A connection belongs to
// its cluster: when the cluster is retired, idle ones close and busy ones close after their last stream.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/tls.h"
#include "gateway/upstream/cluster.h"
#include "http/client_connection.h"
#include "net/loop.h"

namespace gatehouse::gateway {

class UpstreamPool {
 public:
  explicit UpstreamPool(net::Loop& loop);
  ~UpstreamPool();

  // A stream to `endpoint`. Fails when the circuit's bound on connections is reached (exhausted) or no connection can
  // be begun (unavailable). `tls` is null for plain endpoints. `reused` tells whether the connection served a request
  // before: then its end before any response byte may only mean that it had been idle for too long.
  Result<http::ClientStream*> open(const std::shared_ptr<Cluster>& cluster, Endpoint& endpoint,
                                   crypto::TlsClientContext* tls, http::ClientStreamEvents& events, bool& reused);

  // Connections of clusters that are not in `keep` take no further stream.
  void retire_all_but(const std::vector<std::shared_ptr<Cluster>>& keep);
  void close_idle();
  std::size_t connections() const noexcept { return pooled_.size(); }

 private:
  struct Pooled;
  struct Slot {  // of one endpoint
    std::shared_ptr<Cluster> cluster;
    std::vector<Pooled*> free;  // connections that can take a stream, the most recently used last
    std::size_t connections = 0;
  };
  Result<Pooled*> connect(Slot& slot, Endpoint& endpoint, crypto::TlsClientContext* tls);
  void forget(Pooled& pooled);

  net::Loop& loop_;
  std::unordered_map<const Endpoint*, Slot> slots_;
  std::unordered_map<Pooled*, std::unique_ptr<Pooled>> pooled_;
};

}  // namespace gatehouse::gateway
