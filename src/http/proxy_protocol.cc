#include "http/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace gatehouse::http {
namespace {

constexpr std::string_view kSignature1 = "PROXY ";
constexpr std::string_view kSignature2("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr std::size_t kLine1Max = 107;
constexpr std::size_t kFixed2 = 16;

constexpr ProxyHeader kBad{ProxyStatus::bad};

// Is `bytes` the beginning of `signature`, or does it begin with it?
bool may_be(std::string_view bytes, std::string_view signature) noexcept {
  const std::size_t size = std::min(bytes.size(), signature.size());
  return bytes.substr(0, size) == signature.substr(0, size);
}

// Cuts the next word off; words are parted by exactly one space.
std::string_view next_word(std::string_view& line) noexcept {
  const std::size_t space = line.find(' ');
  const std::string_view word = line.substr(0, space);
  line = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
  return word;
}

std::optional<std::uint16_t> port_of(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return port;
}

ProxyHeader parse_v1(std::string_view bytes) noexcept {
  const std::size_t line_break = bytes.substr(0, kLine1Max).find('\n');
  if (line_break == std::string_view::npos) return bytes.size() < kLine1Max ? ProxyHeader{} : kBad;
  if (bytes[line_break - 1] != '\r') return kBad;  // the signature is before it, so there is such a byte
  std::string_view line = bytes.substr(0, line_break - 1);
  if (line.find('\r') != std::string_view::npos) return kBad;
  ProxyHeader header{ProxyStatus::ok, line_break + 1};
  line.remove_prefix(kSignature1.size());
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) {
    header.local = true;
    return header;
  }
  const std::string_view family = next_word(line);
  const bool v4 = family == "TCP4";
  if (!v4 && family != "TCP6") return kBad;
  const std::string_view source = next_word(line), destination = next_word(line);
  const std::string_view source_port = next_word(line);
  const auto from = IpAddress::parse(source), to = IpAddress::parse(destination);
  const auto from_port = port_of(source_port), to_port = port_of(line);
  if (!from || !to || !from_port || !to_port) return kBad;
  const auto has_colon = [](std::string_view text) { return text.find(':') != std::string_view::npos; };
  if (has_colon(source) == v4 || has_colon(destination) == v4) return kBad;
  header.source = *from, header.destination = *to;
  header.source_port = *from_port, header.destination_port = *to_port;
  return header;
}

constexpr auto kCrc32c = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    table[byte] = crc;
  }
  return table;
}();

std::uint8_t byte_at(std::string_view bytes, std::size_t at) noexcept { return static_cast<std::uint8_t>(bytes[at]); }
std::uint16_t short_at(std::string_view bytes, std::size_t at) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, at) << 8 | byte_at(bytes, at + 1));
}

// Over the whole header, its own four bytes taken as zero.
std::uint32_t crc32c_without(std::string_view header, std::size_t crc_at) noexcept {
  std::uint32_t crc = 0xffffffffu;
  for (std::size_t i = 0; i < header.size(); ++i) {
    const std::uint8_t byte = i >= crc_at && i < crc_at + 4 ? std::uint8_t{0} : byte_at(header, i);
    crc = crc >> 8 ^ kCrc32c[(crc ^ byte) & 0xff];
  }
  return ~crc;
}

bool tlvs_hold(std::string_view header, std::size_t at) noexcept {
  constexpr std::uint8_t kTypeCrc32c = 0x03;
  bool crc_seen = false;
  while (at < header.size()) {
    if (header.size() - at < 3) return false;
    const std::uint8_t type = byte_at(header, at);
    const std::size_t length = short_at(header, at + 1);
    at += 3;
    if (header.size() - at < length) return false;
    if (type == kTypeCrc32c) {
      if (crc_seen || length != 4) return false;
      crc_seen = true;
      const std::uint32_t said = std::uint32_t{short_at(header, at)} << 16 | short_at(header, at + 2);
      if (said != crc32c_without(header, at)) return false;
    }
    at += length;
  }
  return true;
}

IpAddress v4_at(std::string_view bytes, std::size_t at) noexcept {
  return IpAddress::v4(std::uint32_t{short_at(bytes, at)} << 16 | short_at(bytes, at + 2));
}
IpAddress v6_at(std::string_view bytes, std::size_t at) noexcept {
  IpAddress address;
  std::memcpy(address.bytes.data(), bytes.data() + at, 16);
  return address;
}

ProxyHeader parse_v2(std::string_view bytes) noexcept {
  enum Command : std::uint8_t { kLocal = 0x20, kProxy = 0x21 };
  enum Family : std::uint8_t { kUnspecified = 0x00, kTcp4 = 0x11, kTcp6 = 0x21, kUnixStream = 0x31 };
  // Refuses at the first wrong byte, before the rest has come.
  if (bytes.size() > 12 && byte_at(bytes, 12) != kLocal && byte_at(bytes, 12) != kProxy) return kBad;
  if (bytes.size() < kFixed2) return {};
  const std::size_t size = kFixed2 + short_at(bytes, 14);
  if (size > kProxyHeaderMax) return kBad;
  if (bytes.size() < size) return {};
  const std::string_view whole = bytes.substr(0, size);
  ProxyHeader header{ProxyStatus::ok, size};
  const std::uint8_t family = byte_at(whole, 13);
  if (byte_at(whole, 12) == kLocal || family == kUnspecified) {
    header.local = true;  // the rest is to be skipped, whatever it is (§2.2)
    return header;
  }
  std::size_t addresses = 0;
  switch (family) {
    case kTcp4: addresses = 12; break;
    case kTcp6: addresses = 36; break;
    case kUnixStream: addresses = 216; break;
    default: return kBad;
  }
  if (size < kFixed2 + addresses || !tlvs_hold(whole, kFixed2 + addresses)) return kBad;
  if (family == kTcp4) {
    header.source = v4_at(whole, kFixed2), header.destination = v4_at(whole, kFixed2 + 4);
  } else if (family == kTcp6) {
    header.source = v6_at(whole, kFixed2), header.destination = v6_at(whole, kFixed2 + 16);
  } else {
    header.local = true;
    return header;
  }
  header.source_port = short_at(whole, kFixed2 + addresses - 4);
  header.destination_port = short_at(whole, kFixed2 + addresses - 2);
  return header;
}

}  // namespace

ProxyHeader parse_proxy_header(std::string_view bytes, ProxyVersions accepted) noexcept {
  if (bytes.empty()) return {};
  if (accepted.v1 && may_be(bytes, kSignature1)) {
    return bytes.size() < kSignature1.size() ? ProxyHeader{} : parse_v1(bytes);
  }
  if (accepted.v2 && may_be(bytes, kSignature2)) {
    return bytes.size() < kSignature2.size() ? ProxyHeader{} : parse_v2(bytes);
  }
  return kBad;
}

}  // namespace gatehouse::http
