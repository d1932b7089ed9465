#pragma once
// The client's half of an HTTP/1.1 connection, sans-I/O: one request at a time, never pipelined. As strict towards the
// upstream's responses as the server is towards requests: bad framing fails the exchange and ends the connection.
//
// One shard. The session is its own only stream.

#include <memory>

#include "http/http1_parser.h"
#include "http/transport.h"

namespace gatehouse::http {

struct Http1ClientOptions {
  HeadLimits limits{64 * 1024, 200, 0, true};
  Duration idle_timeout = std::chrono::seconds(60);
};

// `owner` and `options` must outlive the session. The first head may be sent before the transport is connected.
std::unique_ptr<ClientSession> make_http1_client(Transport& transport, ClientConnectionOwner& owner,
                                                 const Http1ClientOptions& options);

}  // namespace gatehouse::http
