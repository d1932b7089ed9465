#pragma once
// The PROXY protocol header, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt, 2020/03/05): who the client behind a
// trusted load balancer is.
//
// Pure function; bounded: 107 bytes for version 1, 4 KiB for version 2. It tells as early as possible that bytes cannot
// become a header, so a caller may peek at the socket and read exactly `consumed` bytes afterwards.
// Stricter than the document: no datagram families, single spaces, canonical numbers. TLVs are walked, not used; a
// CRC32C among them must be right.

#include <cstdint>
#include <string_view>

#include "base/ip.h"

namespace gatehouse::http {

inline constexpr std::size_t kProxyHeaderMax = 4096;  // bytes

struct ProxyVersions {  // which are accepted
  bool v1 = true;
  bool v2 = true;
};

enum class ProxyStatus : std::uint8_t {
  ok,
  incomplete,  // a header so far; call again with more bytes
  bad,         // not a header: close the connection
};

struct ProxyHeader {
  ProxyStatus status = ProxyStatus::incomplete;
  std::size_t consumed = 0;  // bytes of the header; only when ok
  // The sender speaks for itself (LOCAL, health checks) or of a family without addresses: the socket's peer is the
  // client, and the rest is empty.
  bool local = false;
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
};

ProxyHeader parse_proxy_header(std::string_view bytes, ProxyVersions accepted) noexcept;

}  // namespace gatehouse::http
