#pragma once
// This shard's connections to upstream endpoints: idle HTTP/1.1 ones are taken last-in-first-out, HTTP/2 ones are
// shared. When a service has all its connections in use, requests wait for one in its `ConnectionQueue`.
//
// One shard; `turn_came` and `others_wait` may be called by the others. The pool owns the connections; they count
// themselves in `Endpoint::connections`. A connection belongs to its cluster: when the cluster is retired, idle ones
// close and busy ones close after their last stream.
// Invariants: (1) Nobody overtakes those who wait: as long as there are any, `open` is only for the one whose turn it
// is. (2) Whoever gives a connection back, or up, serves the queue; and whoever joins it tells the shards that may hold
// an idle one. So nobody waits while there is a connection to be had.

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/tls.h"
#include "gateway/upstream/cluster.h"
#include "http/client_connection.h"
#include "net/loop.h"

namespace gatehouse::gateway {

class UpstreamPool final : private ConnectionQueue::Member, private net::Deferred {
 public:
  // A request that waits for a connection.
  class Waiter {
   public:
    // Its turn: `open` succeeds now, within this call, on `idle` without a handshake where that is an endpoint. Not
    // called from inside another event.
    virtual void on_turn(Endpoint* idle) = 0;
    bool waits() const noexcept { return ticket_ != 0; }

   protected:
    ~Waiter() = default;

   private:
    friend class UpstreamPool;
    std::uint64_t ticket_ = 0;
  };

  explicit UpstreamPool(net::Loop& loop);
  ~UpstreamPool();

  // A stream to `endpoint`. Fails when all connections are in use or others wait (exhausted), or no connection can be
  // begun (unavailable). `tls` is null for plain endpoints. `reused` tells whether the connection served a request
  // before: then its end before any response byte may only mean that it had been idle for too long.
  Result<http::ClientStream*> open(const std::shared_ptr<Cluster>& cluster, Endpoint& endpoint,
                                   crypto::TlsClientContext* tls, http::ClientStreamEvents& events, bool& reused);

  // After `exhausted`: joins the queue; within `on_turn`, keeps the turn. False when `circuit.pending` are there
  // already. The waiter must `stop_waiting` before it dies.
  bool wait(const std::shared_ptr<Cluster>& cluster, Waiter& waiter);
  void stop_waiting(Waiter& waiter);

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
  struct Waiting {
    Waiter* waiter = nullptr;
    std::shared_ptr<Cluster> cluster;
    Admission pending;
  };
  struct Turn {
    const Cluster* cluster;
    std::uint64_t ticket;
    Admission place;    // of a connection; empty: there is an idle one
    Admission pending;  // to wait on
  };

  // ConnectionQueue::Member
  void turn_came(std::shared_ptr<Cluster> cluster, std::uint64_t ticket, Admission place) override;
  void others_wait(std::shared_ptr<Cluster> cluster) override;
  void run_deferred() override;

  Slot& slot_of(const std::shared_ptr<Cluster>& cluster, Endpoint& endpoint);
  Pooled* free_in(Slot& slot);
  Pooled* free_of(const Cluster& cluster, bool idle_only);
  Admission take_place(Cluster& cluster);
  Admission give_up(Pooled& pooled);
  Result<Pooled*> connect(Slot& slot, Endpoint& endpoint, crypto::TlsClientContext* tls);
  void forget(Pooled& pooled);
  void serve_later(const std::shared_ptr<Cluster>& cluster);
  void serve(const std::shared_ptr<Cluster>& cluster);
  bool take_turn(const std::shared_ptr<Cluster>& cluster, std::uint64_t ticket, Endpoint* idle, Admission place);

  net::Loop& loop_;
  std::unordered_map<const Endpoint*, Slot> slots_;
  std::unordered_map<const Cluster*, std::vector<Slot*>> slots_of_;
  std::unordered_map<Pooled*, std::unique_ptr<Pooled>> pooled_;
  std::unordered_map<std::uint64_t, Waiting> waiting_;  // by ticket
  std::vector<std::shared_ptr<Cluster>> to_serve_;
  Turn* turn_ = nullptr;  // within `on_turn`
};

}  // namespace gatehouse::gateway
