#pragma once
// TLS by OpenSSL 3, behind types that show none of it. One context per listener or upstream service, one session per
// connection.
//
// Thread safety: contexts may be shared by all shards once built. A session belongs to one shard.
// A session does its own reads and writes on the fd through a BIO that knows when the socket is drained, so that no
// system call is spent on seeing EAGAIN: after a short read the next one is answered from that knowledge until
// `readable()`. It frees its record buffers when idle.

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"

namespace gatehouse::crypto {

enum class TlsVersion : std::uint8_t { v12, v13 };
enum class ClientAuth : std::uint8_t { none, optional, required };

struct TlsCertificate {
  std::string certificate_file;  // PEM chain, leaf first
  std::string key_file;          // PEM
  std::string ocsp_file;         // DER OCSP response to staple; empty: none
};

// The keys that seal session tickets (RFC 5077, RFC 8446 §4.6.1). Shared by the contexts before and after a reload and
// by all listeners, so that sessions resume over both; a session is bound to its listener's client authentication by
// the session id context, so that no ticket carries a client past a check it has not passed.
//
// Thread safety: all calls from any thread. A key seals for 8 hours and opens for 8 more, then it is wiped: that is how
// long a recorded TLS 1.2 session can be opened with a stolen key.
class TlsTicketKeys {
 public:
  static std::shared_ptr<TlsTicketKeys> create(const Clock& clock = SystemClock::instance());
  virtual ~TlsTicketKeys() = default;
};

struct TlsServerOptions {
  std::vector<TlsCertificate> certificates;  // chosen by SNI against the leaf's names; the first serves the rest
  TlsVersion min_version = TlsVersion::v12;
  ClientAuth client_auth = ClientAuth::none;
  std::string client_ca_file;
  std::vector<std::string> alpn;               // in our order of preference
  std::shared_ptr<TlsTicketKeys> ticket_keys;  // empty: keys of this context alone
};

struct TlsClientOptions {
  std::string ca_file;           // empty: the system's
  std::string certificate_file;  // for mutual TLS; empty: none
  std::string key_file;
  std::vector<std::string> alpn;
  bool verify = true;
};

enum class TlsStatus : std::uint8_t { ok, want_read, want_write, closed, error };
struct TlsResult {
  TlsStatus status;
  std::size_t bytes;
};

struct TlsPeer {
  std::string subject;            // RFC 4514; empty without a certificate
  std::vector<std::string> sans;  // "dns:…", "uri:…", "email:…", "ip:…"
  std::string sha256;             // hexadecimal fingerprint
};

class TlsSession {
 public:
  virtual ~TlsSession() = default;
  virtual TlsStatus handshake() = 0;  // ok once done; call again after want_*
  virtual TlsResult read(std::span<char> into) = 0;
  // Encrypts as much as the socket takes now; `bytes` of plaintext were accepted and must not be given again. Accepted
  // bytes may still wait in the session: `pending_write()` until `flush` said ok.
  virtual TlsResult write(std::string_view data) = 0;
  // The same for several pieces, which share records and one system call: a response's head and its body.
  virtual TlsResult write(std::span<const iovec> parts) = 0;
  virtual TlsStatus flush() = 0;
  virtual bool pending_write() const noexcept = 0;
  virtual void readable() noexcept = 0;  // epoll said EPOLLIN: the socket is worth reading again
  // epoll said EPOLLRDHUP: the end of the stream is coming, and no later edge will announce it. From now on a read
  // always asks the socket.
  virtual void peer_closed() noexcept = 0;
  virtual void shutdown() = 0;  // close_notify, best effort
  virtual std::string_view alpn() const noexcept = 0;
  virtual std::string_view version() const noexcept = 0;
  virtual std::string_view cipher() const noexcept = 0;
  virtual std::string server_name() const = 0;  // SNI
  virtual bool resumed() const noexcept = 0;
  virtual TlsPeer peer() const = 0;
  virtual std::string error() const = 0;  // what the last TlsStatus::error was, for the operator
};

class TlsServerContext {
 public:
  static Result<std::shared_ptr<TlsServerContext>> create(const TlsServerOptions& options);
  virtual ~TlsServerContext() = default;
  virtual std::unique_ptr<TlsSession> accept(int fd) = 0;
};

class TlsClientContext {
 public:
  static Result<std::shared_ptr<TlsClientContext>> create(const TlsClientOptions& options);
  virtual ~TlsClientContext() = default;
  // `server_name` goes into SNI and must match the certificate (a DNS name or an IP address). `endpoint` names the
  // server for the resumption of sessions: those of one are offered to no other, and none is kept where it is empty.
  virtual std::unique_ptr<TlsSession> connect(int fd, const std::string& server_name,
                                              std::string_view endpoint = {}) = 0;
};

}  // namespace gatehouse::crypto
