#pragma once
// A connection accepted from downstream: PROXY header, TLS, then the session that the client speaks: HTTP/2 by ALPN or
// prior knowledge, else HTTP/1.1.

#include <memory>
#include <vector>

#include "crypto/tls.h"
#include "http/connection.h"
#include "http/h2_server.h"
#include "http/http1_server.h"
#include "http/proxy_protocol.h"
#include "http/stream.h"

namespace gatehouse::http {

// Of one listener; outlives its connections.
struct ServerConnectionOptions {
  Http1ServerOptions http1;
  H2ServerOptions h2;
  std::shared_ptr<crypto::TlsServerContext> tls;  // null: plain
  bool proxy_header = false;                      // a PROXY header must come first
  ProxyVersions proxy_versions;
  std::vector<Network> trusted_proxies;  // whose PROXY header is believed; others may not connect when it is on
  bool http2_cleartext = true;
  bool peer_credentials = false;  // ask who opened a Unix socket
  std::uint32_t listener = 0;
};

class ServerConnection;

class ServerConnectionOwner {
 public:
  // A PROXY header has said who the client is. False: it may not connect.
  virtual bool on_client_known(ServerConnection&) { return true; }
  virtual void on_established(ServerConnection& connection) = 0;  // TLS is up
  virtual void on_closed(ServerConnection& connection) = 0;       // free it through the loop
  virtual void on_tls_failed(ServerConnection& connection, std::string_view why) = 0;

 protected:
  ~ServerConnectionOwner() = default;
};

class ServerConnection final : public Connection {
 public:
  ServerConnection(net::Loop& loop, net::Fd fd, const net::SocketAddress& peer, std::uint64_t id,
                   std::shared_ptr<const ServerConnectionOptions> options, RequestSink& sink,
                   ServerConnectionOwner& owner);
  Status begin();  // after this the owner's callbacks may come

  const ConnectionInfo& info() const noexcept { return info_; }
  void drain();  // finish what is open, then close

  // the owner's notes
  std::size_t slot = 0;     // where it keeps this connection
  bool counted_ip = false;  // counted per address
  void* counted_in = nullptr;

 private:
  void on_preamble() override;
  void on_established() override;
  void on_early_data(std::string_view data) override;
  void on_handshake_failed(std::string_view why, bool tls) override;
  void on_connection_closed() override { owner_.on_closed(*this); }
  void speak(bool http2);

  std::shared_ptr<const ServerConnectionOptions> options_;
  RequestSink& sink_;
  ServerConnectionOwner& owner_;
  ConnectionInfo info_;
  std::string early_;
  bool draining_ = false;
};

}  // namespace gatehouse::http
