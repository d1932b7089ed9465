#pragma once
// The client's half of an HTTP/2 connection (RFC 9113): many requests at once to one upstream, by prior knowledge (h2c)
// or behind ALPN, sans-I/O, on nghttp2's framing. As strict towards responses as the server is towards requests, and
// bounded against an upstream that misbehaves: its floods end the connection, a malformed response its stream.
//
// One shard. The first heads may be sent before the transport is connected; they wait there.

#include <memory>

#include "http/h2_limits.h"
#include "http/transport.h"

namespace gatehouse::http {

struct H2ClientOptions : H2Limits {
  H2ClientOptions() {
    header_bytes = 64 * 1024;
    headers = 200;
    allow_underscore_names = true;
    body_min_rate = 0;           // an upstream may think; the gateway's own timeouts bound it
    flood.resets = {1000, 200};  // a busy upstream refuses; it does not attack us with that
  }
  // A connection that is silent for this long, with streams open, is asked whether it lives; zero never asks.
  Duration ping_interval = std::chrono::seconds(30);
  Duration ping_timeout = std::chrono::seconds(10);
};

// `owner` must outlive the session; `options` are copied. A request with `head.protocol` is an extended CONNECT (RFC
// 8441): it waits for the upstream's SETTINGS and fails unseen when they don't allow it.
std::unique_ptr<ClientSession> make_h2_client(Transport& transport, ClientConnectionOwner& owner,
                                              const H2ClientOptions& options);

}  // namespace gatehouse::http
