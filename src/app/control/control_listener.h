#pragma once
// A listening socket of the control plane (admin API, metrics page) behind the same HTTP/1.1 stack as the traffic, with
// small bounds. One loop.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/config.h"
#include "gateway/server/acceptor.h"
#include "http/server_connection.h"

namespace gatehouse::app {

class ControlListener final : private gateway::AcceptSink, private http::ServerConnectionOwner {
 public:
  static constexpr std::size_t kConnectionsMax = 256;

  // `sink` outlives it. On a Unix socket the peer's credentials are asked for; `group` may connect to it.
  static Result<std::unique_ptr<ControlListener>> open(net::Loop& loop, const gateway::Address& address,
                                                       http::RequestSink& sink,
                                                       std::optional<std::uint32_t> group = std::nullopt);
  ~ControlListener();
  const std::string& bound() const noexcept { return bound_; }  // with the port that was chosen

 private:
  ControlListener(net::Loop& loop, http::RequestSink& sink) : loop_(loop), sink_(sink) {}
  void accepted(std::uint32_t listener_id, net::Fd socket, const net::SocketAddress& peer) override;
  void connection_shed(std::uint32_t) override {}
  void on_established(http::ServerConnection&) override {}
  void on_closed(http::ServerConnection& connection) override;
  void on_tls_failed(http::ServerConnection&, std::string_view) override {}

  net::Loop& loop_;
  http::RequestSink& sink_;
  std::string bound_, unix_path_;
  std::shared_ptr<http::ServerConnectionOptions> options_;
  std::unique_ptr<gateway::Acceptor> acceptor_;
  std::vector<std::unique_ptr<http::ServerConnection>> connections_;
  std::uint64_t next_id_ = 0;
};

}  // namespace gatehouse::app
