#pragma once
// A connection to an upstream endpoint: connect, TLS, then an HTTP/1.1 or HTTP/2 session. Streams may be opened at
// once; what they send waits until the connection is up.

#include <string>

#include "crypto/tls.h"
#include "http/connection.h"
#include "http/http1_client.h"

namespace gatehouse::http {

enum class UpstreamVersion : std::uint8_t { http1, http2 };

struct ClientConnectionOptions {
  UpstreamVersion version = UpstreamVersion::http1;
  Duration connect_timeout = std::chrono::seconds(1);  // TCP and TLS together
  Duration idle_timeout = std::chrono::seconds(60);
  crypto::TlsClientContext* tls = nullptr;  // null: plain
  std::string server_name;
  std::string_view endpoint;  // whose TLS sessions may be resumed; empty: none
};

class UpstreamConnection final : public Connection {
 public:
  // Begins to connect. Fails only when there is no descriptor or the address is unusable right away. `owner` outlives
  // it.
  static Result<std::unique_ptr<UpstreamConnection>> connect(net::Loop& loop, const net::SocketAddress& address,
                                                             const ClientConnectionOptions& options,
                                                             ClientConnectionOwner& owner);
  ClientConnection& client() noexcept { return *client_; }
  bool established() const noexcept { return failure_ == FailureKind::reset; }
  std::string_view why() const noexcept { return why_; }  // of a failure to establish, for the operator

  FailureKind failure() const noexcept override { return failure_; }

 private:
  UpstreamConnection(net::Loop& loop, net::Stream stream, const ClientConnectionOptions& options,
                     ClientConnectionOwner& owner);
  void on_established() override;
  void on_early_deadline() override;
  void on_handshake_failed(std::string_view why, bool tls) override;
  void on_connection_closed() override {}

  Http1ClientOptions http1_;
  ClientConnection* client_ = nullptr;
  FailureKind failure_ = FailureKind::connect;
  bool tls_ = false;
  std::string why_;
};

}  // namespace gatehouse::http
