#pragma once
// IP addresses and networks, IPv4 held as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2), so that one comparison serves both.

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace gatehouse {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};

  bool is_v4() const noexcept;  // also ::ffff:a.b.c.d
  static IpAddress v4(std::uint32_t host_order) noexcept;
  // "192.0.2.1" or "2001:db8::1", without brackets, port or zone id.
  static std::optional<IpAddress> parse(std::string_view text) noexcept;
  std::string to_string() const;  // the shortest form (RFC 5952); mapped addresses as IPv4
  auto operator<=>(const IpAddress&) const = default;
};

struct Network {
  IpAddress base;
  std::uint8_t prefix = 128;  // bits of the 128-bit form: an IPv4 /24 is 120

  bool contains(const IpAddress& address) const noexcept;
  // "10.0.0.0/8", "fd00::/8", or an address alone. Host bits that are set are refused: they hide a mistake.
  static std::optional<Network> parse(std::string_view text) noexcept;
  std::string to_string() const;
  bool operator==(const Network&) const = default;
};

}  // namespace gatehouse
