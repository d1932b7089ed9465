#include "gateway/server/listen.h"

#include <fmt/format.h>

namespace gatehouse::gateway {

Result<net::SocketAddress> socket_address(const Address& address) {
  if (!address.unix_path.empty()) return net::SocketAddress::unix_path(address.unix_path);
  const auto ip = IpAddress::parse(address.host);
  if (!ip)
    return fail(ErrorCode::invalid, fmt::format("{} is not an IP address", address.host), ErrorSource::configuration);
  return net::SocketAddress::tcp(*ip, address.port);
}

Result<net::Fd> listen_at(const Address& address, unsigned unix_mode) {
  if (!address.unix_path.empty()) return net::listen_unix(address.unix_path, unix_mode);
  auto at = socket_address(address);
  if (!at) return tl::unexpected(std::move(at.error()));
  return net::listen_tcp(*at);
}

Address bound_address(const net::Fd& socket, const Address& configured) {
  Address bound = configured;
  net::SocketAddress actual;
  actual.length = sizeof actual.storage;
  if (configured.unix_path.empty() &&
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&actual.storage), &actual.length) == 0) {
    bound.port = actual.port();
  }
  return bound;
}

}  // namespace gatehouse::gateway
