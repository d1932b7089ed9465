#pragma once
// One TLS connection over a non-blocking socket. The contract is TlsSession in tls.h; here is how it keeps it.
//
// Reading: OpenSSL reads ahead through our BIO. After a short read the BIO answers "would block" from memory until
// `readable()`, so a request of one segment costs one recv.
// Writing: the BIO takes every record into a buffer of the thread; the call that produced records ends with one send.
// What the socket doesn't take moves into the session (`pending_`), so an idle session holds no output buffer.
// Session tickets of TLS 1.3 wait for the first response and travel in its segment: nobody needs them before.
// Invariant: the thread's buffer is empty between calls.

#include <memory>
#include <string>

#include "crypto/openssl.h"
#include "crypto/tls.h"

namespace gatehouse::crypto {

class OpensslSession final : public TlsSession {
 public:
  enum class Role : std::uint8_t { server, client };
  // `owner` is what the context's callbacks point at; a reload may drop it while a handshake is under way.
  OpensslSession(SSL_CTX& context, int fd, Role role, std::shared_ptr<const void> owner);
  OpensslSession(const OpensslSession&) = delete;
  OpensslSession& operator=(const OpensslSession&) = delete;

  SSL& ssl() noexcept { return *ssl_; }

  TlsStatus handshake() override;
  TlsResult read(std::span<char> into) override;
  TlsResult write(std::string_view data) override;
  TlsResult write(std::span<const iovec> parts) override;
  TlsStatus flush() override;
  bool pending_write() const noexcept override { return blocked_ && !pending_.empty(); }
  void readable() noexcept override { drained_ = false; }
  void peer_closed() noexcept override { peer_closed_ = true; }
  void shutdown() override;
  std::string_view alpn() const noexcept override;
  std::string_view version() const noexcept override;
  std::string_view cipher() const noexcept override;
  std::string server_name() const override;
  bool resumed() const noexcept override;
  TlsPeer peer() const override;
  std::string error() const override;

 private:
  friend struct SessionBio;
  TlsStatus classify(int returned);
  bool nothing_to_read() const noexcept;
  bool take_pending();              // moves what waits in front of new records; false: the socket is still full
  TlsStatus push(bool may_linger);  // sends the thread's buffer, keeps the rest
  std::size_t encrypt(std::span<const iovec> parts, std::size_t skip, TlsStatus& status);

  std::shared_ptr<const void> owner_;
  SslPtr ssl_;
  std::string pending_;        // records that the socket has not taken
  unsigned long failure_ = 0;  // OpenSSL's code of a fatal error
  int system_error_ = 0;
  int fd_;
  Role role_;
  bool drained_ = false;
  bool peer_closed_ = false;
  bool blocked_ = false;  // the socket was full when we last tried
  bool failed_ = false;   // fatal: OpenSSL must not be called again
};

}  // namespace gatehouse::crypto
