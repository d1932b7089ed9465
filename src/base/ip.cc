#include "base/ip.h"

#include <arpa/inet.h>

#include <charconv>
#include <cstring>

namespace gatehouse {
namespace {
constexpr std::uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}

bool IpAddress::is_v4() const noexcept { return std::memcmp(bytes.data(), kMappedPrefix, 12) == 0; }

IpAddress IpAddress::v4(std::uint32_t host_order) noexcept {
  IpAddress address;
  std::memcpy(address.bytes.data(), kMappedPrefix, 12);
  for (int i = 0; i < 4; ++i) address.bytes[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
  return address;
}

std::optional<IpAddress> IpAddress::parse(std::string_view text) noexcept {
  char buffer[INET6_ADDRSTRLEN + 1];
  if (text.empty() || text.size() >= sizeof buffer) return std::nullopt;
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  if (std::memchr(buffer, '\0', text.size()) != nullptr) return std::nullopt;
  in_addr four;
  if (inet_pton(AF_INET, buffer, &four) == 1) return v4(ntohl(four.s_addr));
  IpAddress address;
  if (inet_pton(AF_INET6, buffer, address.bytes.data()) == 1) return address;
  return std::nullopt;
}

std::string IpAddress::to_string() const {
  char buffer[INET6_ADDRSTRLEN];
  if (is_v4()) {
    inet_ntop(AF_INET, bytes.data() + 12, buffer, sizeof buffer);
  } else {
    inet_ntop(AF_INET6, bytes.data(), buffer, sizeof buffer);
  }
  return buffer;
}

bool Network::contains(const IpAddress& address) const noexcept {
  const int whole = prefix / 8;
  if (std::memcmp(base.bytes.data(), address.bytes.data(), static_cast<std::size_t>(whole)) != 0) return false;
  const int rest = prefix % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return (base.bytes[whole] & mask) == (address.bytes[whole] & mask);
}

std::optional<Network> Network::parse(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network{*address, 128};
  if (slash != std::string_view::npos) {
    const std::string_view digits = text.substr(slash + 1);
    // An address written with a colon is IPv6 even when it is a mapped one: its prefix counts from the first of 128
    // bits.
    const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    unsigned prefix = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    if (error != std::errc() || end != digits.data() + digits.size() || digits.empty()) return std::nullopt;
    if (digits.size() > 1 && digits.front() == '0') return std::nullopt;
    if (prefix > (v4 ? 32u : 128u)) return std::nullopt;
    network.prefix = static_cast<std::uint8_t>(v4 ? prefix + 96 : prefix);
  }
  for (int bit = network.prefix; bit < 128; ++bit) {
    if (network.base.bytes[bit / 8] & (0x80 >> (bit % 8))) return std::nullopt;
  }
  return network;
}

std::string Network::to_string() const {
  const bool v4 = base.is_v4() && prefix >= 96;
  return base.to_string() + "/" + std::to_string(v4 ? prefix - 96 : prefix);
}

}  // namespace gatehouse
