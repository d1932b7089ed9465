#pragma once
// Names to addresses, by c-ares on a loop: A and AAAA, and SRV (RFC 2782) for names that stand for a service.
//
// Answers are cached by their TTL, within bounds; that a name does not exist is cached too. When servers fail, the last
// good answer is kept and given out as `stale`: a broken resolver must not take services down that are up. When they
// say that the name is gone, it is kept for `gone_hold` only.
//
// Where a name has addresses of both families, IPv4 comes first and IPv6 is what is fallen back on: we don't race
// connections as RFC 8305 does, and a dual-stack name whose IPv6 leads nowhere is the commoner mishap. A family to
// which this host has no route is left out as long as the other has one, so that it is not found dead again and again.
//
// Thread safety: one loop, and called from it only. Callbacks come from the loop, never from inside `resolve`.
// Invariants: at most kEntriesMax names are remembered, kRecordsMax addresses used of one, and one query per name is
// under way however many wait for it.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/result.h"
#include "net/loop.h"

namespace gatehouse::net {

struct DnsRecord {
  IpAddress ip;
  std::uint16_t port = 0;    // of an SRV record
  std::uint32_t weight = 1;  // of an SRV record; at least 1
  std::uint32_t rank = 0;    // 0: the best; the next is for when none of this one is available
  bool operator==(const DnsRecord&) const = default;
};

struct DnsAnswer {
  std::vector<DnsRecord> records;  // in the order of the addresses; not empty
  Duration ttl{};                  // for how long it holds from now
  bool stale = false;              // the last good answer; asking anew has failed
};

struct ResolverOptions {
  Duration ttl_min = std::chrono::seconds(5);
  Duration ttl_max = std::chrono::hours(1);
  Duration negative_ttl = std::chrono::seconds(5);  // between two questions that fail
  Duration gone_hold = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(2);  // of one try
  int tries = 3;
  std::function<bool(const IpAddress&)>
      has_route{};      // whether packets to it can leave this host; empty: ask the kernel
  std::string servers;  // "192.0.2.53:53,[2001:db8::53]"; empty: the system's, and its hosts file and search domains
};

class Resolver {
 public:
  static constexpr std::size_t kEntriesMax = 4096;
  static constexpr std::size_t kRecordsMax = 256;
  using Callback = std::function<void(const Result<DnsAnswer>&)>;
  using Ticket = std::uint64_t;

  static Result<std::unique_ptr<Resolver>> create(Loop& loop, const ResolverOptions& options);
  virtual ~Resolver() = default;  // callbacks still waiting are dropped

  // Addresses of a host; an IP address stands for itself.
  virtual Ticket resolve(const std::string& name, Callback callback) = 0;
  // Addresses and ports of a service ("_http._tcp.orders.internal"), ranked by priority and then by family.
  virtual Ticket resolve_service(const std::string& name, Callback callback) = 0;
  virtual void cancel(Ticket ticket) = 0;  // unknown ones are ignored
};

}  // namespace gatehouse::net
