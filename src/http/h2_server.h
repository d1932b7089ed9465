#pragma once
// The server's half of an HTTP/2 connection (RFC 9113, extended CONNECT of RFC 8441), sans-I/O, on nghttp2's framing.
//
// A malformed request is a stream error: RST_STREAM with PROTOCOL_ERROR. A well-formed one that is past a bound gets
// its 4xx on its stream. Past a bound of the connection (h2_limits.h) GOAWAY with ENHANCE_YOUR_CALM ends it; every
// stream hears `on_abort` and the sink `on_refused`, with the reason.
//
// One shard. Priorities are read and ignored: streams take turns.

#include <memory>

#include "http/h2_limits.h"
#include "http/stream.h"
#include "http/transport.h"

namespace gatehouse::http {

struct H2ServerOptions : H2Limits {
  std::uint64_t body_bytes = 10 * 1024 * 1024;
  std::uint32_t requests_max = 10000;  // then GOAWAY, and the rest is served
};

// The preface must be the first that `on_data` gets. `options` and `info` must outlive the session.
std::unique_ptr<Session> make_h2_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                        const H2ServerOptions& options);

}  // namespace gatehouse::http
