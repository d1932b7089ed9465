#include "http/client_connection.h"

#include "http/h2_client.h"

namespace gatehouse::http {

UpstreamConnection::UpstreamConnection(net::Loop& loop, net::Stream stream, const ClientConnectionOptions& options,
                                       ClientConnectionOwner& owner)
    : Connection(loop, std::move(stream)) {
  tls_ = options.tls != nullptr;
  std::unique_ptr<ClientSession> made;
  if (options.version == UpstreamVersion::http2) {
    H2ClientOptions h2;
    h2.idle_timeout = options.idle_timeout;
    made = make_h2_client(*this, owner, h2);
  } else {
    http1_.idle_timeout = options.idle_timeout;
    made = make_http1_client(*this, owner, http1_);
  }
  client_ = made.get();
  set_session(std::move(made));
}

Result<std::unique_ptr<UpstreamConnection>> UpstreamConnection::connect(net::Loop& loop,
                                                                        const net::SocketAddress& address,
                                                                        const ClientConnectionOptions& options,
                                                                        ClientConnectionOwner& owner) {
  auto fd = net::connect_start(address);
  if (!fd) return tl::unexpected(fd.error());
  net::Stream stream(std::move(*fd));
  if (options.tls != nullptr)
    stream.start_tls(options.tls->connect(stream.fd(), options.server_name, options.endpoint));
  std::unique_ptr<UpstreamConnection> connection(new UpstreamConnection(loop, std::move(stream), options, owner));
  if (auto started = connection->start(Begin::connecting); !started) return tl::unexpected(started.error());
  connection->set_early_deadline(options.connect_timeout);
  return connection;
}

void UpstreamConnection::on_established() {
  failure_ = FailureKind::reset;
  cancel_early_deadline();
  request_flush();  // what was sent meanwhile
}

void UpstreamConnection::on_early_deadline() {
  failure_ = FailureKind::connect_timeout;
  why_ = "timed out";
  close_now();
}

void UpstreamConnection::on_handshake_failed(std::string_view why, bool tls) {
  failure_ = tls ? FailureKind::tls : FailureKind::connect;
  why_ = why;
}

}  // namespace gatehouse::http
