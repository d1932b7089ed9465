#pragma once
// One request and its response, seen from both sides of the gateway, whatever the HTTP version underneath.
//
//   downstream peer ── ServerConnection ──> RequestSink::on_request ──> ServerStreamEvents   (implemented by the
//   gateway) gateway         ──> ServerStream::send_…                                                (implemented by
//   the codecs) gateway         ──> ClientConnection::open ──> ClientStream::send_…                      (implemented
//   by the codecs) upstream peer   ──> ClientStreamEvents::on_…                                            (implemented
//   by the gateway)
//
// Shard rule: a stream lives on one shard and is called from it only.
// Lifetime: the connection owns its streams. After `on_abort`/`on_complete` (server) or `on_response_end`/`on_failure`
// (client) the stream is gone and its pointer must not be used. Calls into the stream from inside an event are allowed;
// the connection then frees it after the event returned. `abort` ends a stream without a further event.
// Output: nothing is written inside a send call, except large bodies; the connection flushes when the loop's current
// event is done, so that head and body leave in one system call. Back-pressure: a sender looks at `buffered()`; above
// `kHighWater` it pauses the other side's reading and waits for `on_drained`, which comes once `buffered()` has fallen
// below `kLowWater`.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "http/message.h"

namespace gatehouse::http {

inline constexpr std::size_t kHighWater = 256 * 1024;  // bytes buffered in one stream before its source is paused
inline constexpr std::size_t kLowWater = 64 * 1024;

// Who is at the other end of a Unix socket (unix(7): SO_PEERCRED, SO_PEERGROUPS), as the kernel knows it.
struct PeerCredentials {
  std::uint32_t uid = UINT32_MAX;
  std::vector<std::uint32_t> groups;  // the primary one first
};
// nullopt when `fd` is no Unix socket.
std::optional<PeerCredentials> peer_credentials(int fd);

// Facts about a downstream connection that do not change while it lives. One per connection.
struct ConnectionInfo {
  std::uint64_t id = 0;        // unique in the process
  std::uint32_t listener = 0;  // index into the configuration's listeners
  IpAddress peer;              // of the socket; all zero on a Unix socket
  std::uint16_t peer_port = 0;
  IpAddress client;  // peer, or what a trusted PROXY header said
  std::uint16_t client_port = 0;
  bool unix_socket = false;
  std::optional<PeerCredentials> credentials;  // who opened a Unix socket; filled on listeners that ask for it
  bool proxied = false;                        // a PROXY header was believed
  Version version = Version::http11;
  // TLS; empty on plain connections
  bool tls = false;
  std::string tls_version;  // "TLSv1.3"
  std::string tls_cipher;   // "TLS_AES_128_GCM_SHA256"
  std::string server_name;  // SNI, lower case
  bool tls_resumed = false;
  // the verified client certificate; empty without one
  std::string certificate_subject;            // RFC 4514
  std::vector<std::string> certificate_sans;  // "dns:a.example", "uri:spiffe://…", "email:…"
  std::string certificate_sha256;             // hexadecimal
};

class ServerStreamEvents {
 public:
  virtual ~ServerStreamEvents() = default;
  virtual void on_body(std::string_view data) = 0;  // request content, or bytes of an open tunnel
  virtual void on_request_end(const Fields& trailers) = 0;
  virtual void on_drained() = 0;
  // The response has been handed to the kernel in full, and the request was read or given up. The stream is gone.
  // `bytes_out` counts what left on the wire for it, framing included.
  virtual void on_complete(std::uint64_t bytes_out) = 0;
  // The peer went away, broke the protocol or was too slow before that. The stream is gone.
  virtual void on_abort(Reason reason) = 0;
  // While reading is paused: the peer has closed its sending half. What it sent before is not read yet. HTTP/1 only,
  // where pausing stops the whole connection; may come more than once.
  virtual void on_hangup() {}
  // Asked before an `on_abort` for which the connection answers in the exchange's place (408, 413, 400 for a bad body):
  // the id to put into that answer. Without one the sink's `on_refused` is called too, and gives one.
  virtual std::string_view request_id() const noexcept { return {}; }
};

class ServerStream {
 public:
  virtual const ConnectionInfo& connection() const noexcept = 0;
  virtual void set_events(ServerStreamEvents& events) noexcept = 0;
  virtual void send_informational(const ResponseHead& head) = 0;  // 100, 103
  // Framing is the connection's business: `content-length`, `transfer-encoding` and `connection` in `head.fields` are
  // ignored; `head.content_length` says the length when it is known.
  virtual void send_head(const ResponseHead& head, End end) = 0;
  virtual void send_body(std::string_view data, End end) = 0;
  virtual void send_trailers(const Fields& trailers) = 0;  // ends the response
  // Answers an Upgrade with 101 (HTTP/1) or an extended CONNECT with 200 (HTTP/2); from now on `send_body` and
  // `on_body` carry raw bytes. End::yes in `send_body` closes our half, and theirs stays open: `on_complete` comes when
  // both are closed, however long that takes.
  virtual void open_tunnel(const ResponseHead& head) = 0;
  // Gives the exchange up: RST_STREAM, or the connection is closed. No further event comes.
  virtual void abort() = 0;
  virtual std::size_t buffered() const noexcept = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // The request asked to become a tunnel: an HTTP/1.1 Upgrade, or an extended CONNECT.
  virtual bool wants_tunnel() const noexcept = 0;
  // No further request on this connection after this response (drain, misbehaviour).
  virtual void close_after() = 0;
  // Changes the bound of this request's body (a route may widen or narrow the listener's). Past it: `on_abort`
  // (body_too_large), or a 413 if no response was begun.
  virtual void set_body_max(std::uint64_t bytes) = 0;

 protected:
  ~ServerStream() = default;
};

// Where the requests of a listener go.
class RequestSink {
 public:
  virtual ~RequestSink() = default;
  // A complete head. The sink must answer through `stream`, now or later, and should call `set_events` before it
  // returns; without events the connection answers 500. `head`'s views die with the call.
  virtual void on_request(ServerStream& stream, const RequestHead& head, End end) = 0;
  // A request that was refused before it became one (syntax, framing, bounds, floods). The connection answers by itself
  // with `reason_status` and closes; this is for the record, metrics and penalties. Returns the request id to put into
  // the answer; the view lives until the next call.
  virtual std::string_view on_refused(const ConnectionInfo& connection, Reason reason, const RequestHead* partial) = 0;
};

enum class FailureKind : std::uint8_t {
  connect,  // no connection; nothing was sent
  connect_timeout,
  tls,             // handshake or certificate
  reset,           // the connection ended before a complete response
  refused_stream,  // HTTP/2 REFUSED_STREAM or GOAWAY below our id: the upstream did nothing
  bad_response,    // `reason` says what
  response_timeout,
  circuit_open,  // no attempt was made: a limit of ours
};

struct Failure {
  FailureKind kind = FailureKind::reset;
  Reason reason = Reason::none;
  bool response_begun = false;  // a final head was delivered
  bool request_unseen = false;  // certain that the upstream has processed nothing: any method may be retried
};

class ClientStreamEvents {
 public:
  virtual ~ClientStreamEvents() = default;
  virtual void on_informational(const ResponseHead& head) = 0;  // 100, 103; never 101
  // A final head. 101 (and 200 to an extended CONNECT) opens the tunnel: from now on bodies are raw bytes.
  virtual void on_response(const ResponseHead& head, End end) = 0;
  virtual void on_body(std::string_view data) = 0;
  // The upstream has closed its half of a tunnel; ours stays open. `on_response_end` comes when both are closed.
  virtual void on_tunnel_end() {}
  virtual void on_response_end(const Fields& trailers) = 0;  // not called when `on_response` said End::yes
  virtual void on_drained() = 0;
  virtual void on_failure(const Failure& failure) = 0;
};

class ClientStream {
 public:
  // `head.fields` must be canonical: the codec adds only framing. With an `upgrade` field (HTTP/1) or a `protocol`
  // (HTTP/2) it asks for a tunnel; in one, End::yes in `send_body` closes our half, and the upstream's stays open.
  virtual void send_head(const RequestHead& head, End end) = 0;
  virtual void send_body(std::string_view data, End end) = 0;
  virtual void send_trailers(const Fields& trailers) = 0;
  // No further event; the connection is closed (HTTP/1) or the stream reset (HTTP/2). Of a tunnel that both sides have
  // closed, what was sent still leaves.
  virtual void abort() = 0;
  virtual std::size_t buffered() const noexcept = 0;
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;

 protected:
  ~ClientStream() = default;
};

class ClientConnection;

// The pool that owns a client connection. Both calls may come from inside a stream's events. `on_closed` may come while
// the caller is inside the connection's own code: free it through the loop.
class ClientConnectionOwner {
 public:
  virtual ~ClientConnectionOwner() = default;
  virtual void on_available(ClientConnection& connection) = 0;  // a stream ended and another may be opened
  virtual void on_closed(ClientConnection& connection) = 0;     // takes no further stream; destroy it through the loop
};

class ClientConnection {
 public:
  virtual ~ClientConnection() = default;
  // Only when `available() > 0`. Connecting and handshaking count as available for HTTP/1: the head waits for them.
  virtual ClientStream& open(ClientStreamEvents& events) = 0;
  virtual std::size_t available() const noexcept = 0;  // streams that may be opened now; 0 once closing
  virtual std::size_t active() const noexcept = 0;     // streams open
  virtual void close_when_idle() = 0;                  // takes no further stream, closes after the last
};

}  // namespace gatehouse::http
