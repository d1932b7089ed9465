#pragma once
// Who the client is when trusted proxies stand before us, and what we tell the upstream about it.
//
// The chain of X-Forwarded-For (or Forwarded, RFC 7239) is walked from the right, from the peer outwards, as long as
// the hops are trusted proxies; the first that isn't is the client, and what stands left of it is its own invention and
// is dropped. An untrusted peer's fields are ignored altogether. Doubt refuses: a hop that a trusted proxy wrote and we
// cannot read, or two fields that name different clients (a proxy that maintains one and passes the other through lets
// anybody write an address there). Answer 400.

#include <array>
#include <string_view>

#include "base/arena.h"
#include "base/ip.h"
#include "gateway/network_map.h"
#include "http/stream.h"

namespace gatehouse::gateway {

enum class ForwardedStatus : std::uint8_t { ok, malformed, conflicting };
std::string_view reason_code(ForwardedStatus status) noexcept;  // "http.bad_forwarded", "http.forwarded_conflict"

struct ClientAddress {
  static constexpr std::size_t kHopsMax = 16;  // trusted proxies in a chain; more is malformed

  ForwardedStatus status = ForwardedStatus::ok;
  IpAddress address;
  std::string_view scheme;  // what a trusted proxy received: "http" or "https"; empty: nobody said
  // The trusted proxies between the client and us, the one next to the client first. Does not hold the client.
  std::array<IpAddress, kHopsMax> proxies{};
  std::uint8_t proxy_count = 0;
};

// `trusted`: the listener's `trusted_proxies`. The peer of a Unix socket has the address `::`.
ClientAddress find_client(const http::ConnectionInfo& connection, const http::Fields& fields,
                          const NetworkMap& trusted);

// Replaces x-forwarded-for, -proto, -host, -port and forwarded by our own. The values live in the arena, or are
// `scheme` and `authority`, which are those of the canonical request.
void set_forwarded(const ClientAddress& client, std::string_view scheme, std::string_view authority, Arena& arena,
                   http::Fields& fields);

}  // namespace gatehouse::gateway
