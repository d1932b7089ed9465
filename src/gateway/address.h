#pragma once
// Where something listens or is reached, as a configuration says it.

#include <cstdint>
#include <string>

namespace gatehouse::gateway {

struct Address {
  std::string host;  // IP address or DNS name; empty for a Unix socket
  std::uint16_t port = 0;
  std::string unix_path;  // not empty: a Unix socket
  bool is_given() const noexcept { return !host.empty() || !unix_path.empty(); }
  std::string to_string() const;  // "127.0.0.1:9001", "[::1]:80", "unix:/run/x"
  bool operator==(const Address&) const = default;
};

}  // namespace gatehouse::gateway
