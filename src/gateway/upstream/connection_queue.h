#pragma once
// Requests that wait because all of a service's connections are in use, over all shards: first come, first served.
//
// Thread safety: any shard. It takes a lock, and only where somebody waits or begins to: as long as a service has a
// connection to spare, nothing here is touched. Bounded by `circuit.pending`, of which each that waits holds a place.
// Invariant: a ticket is in the queue or with the shard that has taken it, never in both. The place in the queue is the
// ticket's number, so one that is put back keeps its turn.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "gateway/upstream/circuit.h"

namespace gatehouse::gateway {

class Cluster;

class ConnectionQueue {
 public:
  // A shard's pool, as the other shards see it. Both are called from any thread: they post to the pool's own.
  class Member {
   public:
    // The turn of one of its tickets has come, and here is the place of a connection.
    virtual void turn_came(std::shared_ptr<Cluster> cluster, std::uint64_t ticket, Admission place) = 0;
    // A request of another shard waits: an idle connection is to be given up for it.
    virtual void others_wait(std::shared_ptr<Cluster> cluster) = 0;

   protected:
    ~Member() = default;
  };
  struct Ticket {
    std::uint64_t number = 0;
    Member* member = nullptr;
  };

  struct Joined {
    std::uint64_t number;
    bool first;  // nobody waited before
  };
  Joined join(Member& member);
  void put_back(const Ticket& ticket);
  void leave(std::uint64_t number);
  bool empty();
  std::optional<Ticket> take_first();
  std::optional<Ticket> take_first_of(const Member& member);

  // Pools that have, or had, connections to the service. A member leaves before it dies, its tickets too.
  void add_member(Member& member);
  void remove_member(Member& member);
  void tell_others(const std::shared_ptr<Cluster>& cluster, const Member& except);

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, Member*> waiting_;
  std::vector<Member*> members_;
  std::uint64_t next_ = 1;
};

}  // namespace gatehouse::gateway
