#include "app/control/control_listener.h"

#include <unistd.h>

#include "gateway/server/listen.h"

namespace gatehouse::app {

Result<std::unique_ptr<ControlListener>> ControlListener::open(net::Loop& loop, const gateway::Address& address,
                                                               http::RequestSink& sink,
                                                               std::optional<std::uint32_t> group) {
  std::unique_ptr<ControlListener> listener(new ControlListener(loop, sink));
  auto socket = gateway::listen_at(address, 0660);
  if (!socket) return tl::unexpected(std::move(socket.error()).while_(address.to_string()));
  if (group && !address.unix_path.empty() && ::chown(address.unix_path.c_str(), static_cast<uid_t>(-1), *group) != 0)
    return fail_errno(fmt::format("chgrp {} {}", *group, address.unix_path));
  listener->bound_ = gateway::bound_address(*socket, address).to_string();
  listener->unix_path_ = address.unix_path;
  listener->options_ = std::make_shared<http::ServerConnectionOptions>();
  listener->options_->http1.body_bytes = 1024 * 1024;
  listener->options_->http2_cleartext = false;
  listener->options_->peer_credentials = !address.unix_path.empty();
  auto acceptor = gateway::Acceptor::create(loop, *listener, 0, std::move(*socket));
  if (!acceptor) return tl::unexpected(acceptor.error());
  listener->acceptor_ = std::move(*acceptor);
  return listener;
}

ControlListener::~ControlListener() {
  acceptor_.reset();
  while (!connections_.empty()) connections_.back()->close_now();
}

void ControlListener::accepted(std::uint32_t, net::Fd socket, const net::SocketAddress& peer) {
  if (connections_.size() >= kConnectionsMax) return;
  http::ServerConnectionOwner& owner = *this;
  connections_.push_back(
      std::make_unique<http::ServerConnection>(loop_, std::move(socket), peer, ++next_id_, options_, sink_, owner));
  http::ServerConnection& connection = *connections_.back();
  connection.slot = connections_.size() - 1;
  if (auto begun = connection.begin(); !begun) connection.close_now();
}

void ControlListener::on_closed(http::ServerConnection& connection) {
  const std::size_t slot = connection.slot;
  loop_.destroy_later(std::move(connections_[slot]));
  if (slot + 1 != connections_.size()) {
    connections_[slot] = std::move(connections_.back());
    connections_[slot]->slot = slot;
  }
  connections_.pop_back();
}

}  // namespace gatehouse::app
