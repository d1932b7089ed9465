#pragma once
// From an address of the configuration to a socket.

#include "gateway/config.h"
#include "net/socket.h"

namespace gatehouse::gateway {

// An error when the host is no IP address or the path is too long.
Result<net::SocketAddress> socket_address(const Address& address);

// A listening socket; `unix_mode` is the permissions of a Unix socket's file.
Result<net::Fd> listen_at(const Address& address, unsigned unix_mode);

// Where it listens in fact: the kernel chose the port if it was 0.
Address bound_address(const net::Fd& socket, const Address& configured);

}  // namespace gatehouse::gateway
