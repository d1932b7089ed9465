#pragma once
// Keeps the endpoints that are configured by name up to date: asks the resolver anew as answers run out, and tells the
// cluster.
//
// Thread safety: one loop (the control loop), called from it only.

#include <functional>
#include <memory>
#include <vector>

#include "gateway/upstream/cluster.h"
#include "net/dns.h"
#include "net/loop.h"

namespace gatehouse::gateway {

class Discovery {
 public:
  // Told when a name cannot be resolved, and when it can again (then without an error); for the log.
  using Listener = std::function<void(const Cluster&, const EndpointConfig&, const Error*)>;

  // `resolver` outlives it.
  Discovery(net::Loop& loop, net::Resolver& resolver, Listener listener);
  ~Discovery();

  // These are the clusters now. Names of clusters that were there before go on where they were.
  void watch(const std::vector<std::shared_ptr<Cluster>>& clusters);
  // Has every name been answered, well or badly? A start may wait for this before it listens.
  bool settled() const noexcept;

 private:
  class Name;

  net::Loop& loop_;
  net::Resolver& resolver_;
  Listener listener_;
  std::vector<std::unique_ptr<Name>> names_;
};

}  // namespace gatehouse::gateway
