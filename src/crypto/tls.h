#pragma once
// TLS by OpenSSL 3, behind types that show none of it. One context per listener or upstream service, one session per
// connection.
//
// Thread safety: contexts may be shared by all shards once built. A session belongs to one shard.
// A session does its own reads and writes on the fd through a BIO that knows when the socket is drained, so that no
// system call is spent on seeing EAGAIN: after a short read the next one is answered from that knowledge until
// `readable()`. It frees its record buffers when idle.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

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

struct TlsServerOptions {
  std::vector<TlsCertificate> certificates;  // chosen by SNI against the leaf's names; the first serves the rest
  TlsVersion min_version = TlsVersion::v12;
  ClientAuth client_auth = ClientAuth::none;
  std::string client_ca_file;
  std::vector<std::string> alpn;  // in our order of preference
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
  virtual TlsStatus flush() = 0;
  virtual bool pending_write() const noexcept = 0;
  virtual void readable() noexcept = 0;  // epoll said EPOLLIN: the socket is worth reading again
  virtual void shutdown() = 0;           // close_notify, best effort
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
  // `server_name` goes into SNI and must match the certificate (a DNS name or an IP address).
  virtual std::unique_ptr<TlsSession> connect(int fd, const std::string& server_name) = 0;
};

}  // namespace gatehouse::crypto
