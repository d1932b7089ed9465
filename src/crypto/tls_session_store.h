#pragma once
// Sessions that servers let us resume (RFC 8446 §2.2, RFC 5077), by server. A resumed handshake costs neither side a
// signature, nor us the verification of a chain.
//
// A ticket of TLS 1.3 is offered once: whoever watches could otherwise link the connections that it opens (RFC 8446
// §C.4). A session of TLS 1.2 serves until its time is over.
// Thread safety: any thread; a lock for a moment per handshake.
// Bounded: kServersMax servers with kSessionsMax sessions each, none older than kAgeMax: a certificate that was revoked
// or has expired is noticed by then.

#include <openssl/ssl.h>

#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/openssl.h"

namespace gatehouse::crypto {

class TlsSessionStore {
 public:
  static constexpr std::size_t kServersMax = 1024;
  static constexpr std::size_t kSessionsMax = 8;
  static constexpr long kAgeMax = 3600;  // seconds

  // Makes sessions of this context go to the store that `resume` was called of.
  static void fill_from(SSL_CTX& context);

  // Before the handshake: offers a session of `server` if there is one, and keeps those that it gives. The store must
  // outlive `ssl`.
  void resume(SSL& ssl, std::string server);

 private:
  struct Free {
    void operator()(SSL_SESSION* session) const noexcept { SSL_SESSION_free(session); }
  };
  using SessionPtr = std::unique_ptr<SSL_SESSION, Free>;
  struct Origin {  // of a connection's sessions
    TlsSessionStore* store;
    std::string server;
  };
  static int origin_slot();
  static int on_new_session(SSL* ssl, SSL_SESSION* session);
  SessionPtr take(const std::string& server);
  void keep(const std::string& server, SessionPtr session);

  std::mutex mutex_;
  std::unordered_map<std::string, std::vector<SessionPtr>> sessions_;  // the newest last
};

}  // namespace gatehouse::crypto
