#pragma once
// The server's half of an HTTP/1.1 connection, sans-I/O: requests one after another, each answered before the next is
// parsed (pipelined ones wait in a bounded buffer).
//
// One shard. The session is its own only stream, so a request costs no allocation.

#include <memory>

#include "http/stream.h"
#include "http/transport.h"

namespace gatehouse::http {

struct Http1ServerOptions {
  std::size_t header_bytes = 32 * 1024;
  std::size_t headers = 100;
  std::size_t uri_bytes = 8 * 1024;
  std::uint64_t body_bytes = 10 * 1024 * 1024;
  bool allow_underscore_names = false;
  Duration header_timeout =
      std::chrono::seconds(10);  // from the first byte of a head, or of the connection, to its end
  // Between requests. A peer that takes nothing of its answer is cut after once to one and a half times that.
  Duration idle_timeout = std::chrono::seconds(60);
  std::uint32_t body_min_rate = 500;  // bytes per second over five seconds; 0: no bound
  std::uint32_t requests_max = 10000;
};

// `options` and `info` must outlive the session.
std::unique_ptr<Session> make_http1_server(Transport& transport, RequestSink& sink, const ConnectionInfo& info,
                                           const Http1ServerOptions& options);

}  // namespace gatehouse::http
