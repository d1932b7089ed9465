// Host and :authority. Names are compared byte by byte from here on, so each host has one spelling.
#include <arpa/inet.h>

#include <array>
#include <cstring>

#include "base/ip.h"
#include "http/canonical.h"

namespace gatehouse::http {
namespace {

constexpr std::size_t kNameMax = 253, kLabelMax = 63;  // RFC 1035 §2.3.4

// A name's byte in lower case, or 0 when it may not stand in a name.
constexpr auto kNameByte = [] {
  std::array<char, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) table[static_cast<unsigned char>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) table[static_cast<unsigned char>(c)] = static_cast<char>(c + 32);
  for (char c : {'-', '.', '_'}) table[static_cast<unsigned char>(c)] = c;
  return table;
}();

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// 1 to 65535, written in one way only: no sign, no leading zero.
bool parse_port(std::string_view text, unsigned& port) noexcept {
  if (text.empty() || text.size() > 5 || text.front() == '0') return false;
  port = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
  }
  return port <= 65535;
}

// Would some resolver take the name for an IPv4 address? "127.1", "0x7f000001" and "2130706433" all reach 127.0.0.1.
bool ends_in_number(std::string_view name) noexcept {
  const std::string_view last = name.substr(name.rfind('.') + 1);
  if (last.starts_with("0x")) return true;
  for (char c : last) {
    if (!is_digit(c)) return false;
  }
  return true;
}

bool is_name(std::string_view name) noexcept {  // in lower case already
  if (name.empty() || name.size() > kNameMax) return false;
  std::size_t label = 0;
  for (char c : name) {
    if (c != '.') {
      if (++label > kLabelMax) return false;
    } else {
      if (label == 0) return false;
      label = 0;
    }
  }
  if (label == 0) return false;
  return !ends_in_number(name) || IpAddress::parse(name).has_value();
}

// "[v6]" in its shortest form; `text` is what stands between the brackets. Empty when it is no IPv6 address.
std::string_view canonical_v6(std::string_view text, Arena& arena) {
  char buffer[INET6_ADDRSTRLEN + 1];
  if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) return {};
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = '\0';
  in6_addr address;
  if (inet_pton(AF_INET6, buffer, &address) != 1) return {};
  inet_ntop(AF_INET6, &address, buffer, sizeof buffer);
  return arena.copy(buffer);
}

}  // namespace

Reason canonicalize_authority(std::string_view raw, std::string_view scheme, Arena& arena, std::string_view& authority,
                              std::string_view& host) {
  if (raw.empty()) return Reason::missing_host;
  const bool v6 = raw.front() == '[';
  const std::size_t host_end = v6 ? raw.find(']') : raw.find(':');
  if (v6 && host_end == std::string_view::npos) return Reason::bad_host;
  std::string_view port_part = host_end == std::string_view::npos ? "" : raw.substr(host_end + (v6 ? 1 : 0));
  if (!port_part.empty()) {
    unsigned port = 0;
    if (port_part.front() != ':' || !parse_port(port_part.substr(1), port)) return Reason::bad_host;
    if (port == (scheme == "https" ? 443u : 80u)) port_part = {};
  }
  if (v6) {
    const std::string_view address = canonical_v6(raw.substr(1, host_end - 1), arena);
    if (address.empty()) return Reason::bad_host;
    char* const out = arena.allocate(address.size() + 2 + port_part.size());
    out[0] = '[';
    std::memcpy(out + 1, address.data(), address.size());
    out[address.size() + 1] = ']';
    if (!port_part.empty()) std::memcpy(out + address.size() + 2, port_part.data(), port_part.size());
    authority = {out, address.size() + 2 + port_part.size()};
    host = authority.substr(1, address.size());
    return Reason::none;
  }
  std::string_view name = raw.substr(0, host_end);
  if (name.size() > 1 && name.back() == '.') name.remove_suffix(1);
  if (name.size() > kNameMax) return Reason::bad_host;
  char* const out = arena.allocate(name.size() + port_part.size());
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = kNameByte[static_cast<unsigned char>(name[i])];
    if (c == 0) return Reason::bad_host;
    out[i] = c;
  }
  if (!port_part.empty()) std::memcpy(out + name.size(), port_part.data(), port_part.size());
  authority = {out, name.size() + port_part.size()};
  host = authority.substr(0, name.size());
  return is_name(host) ? Reason::none : Reason::bad_host;
}

}  // namespace gatehouse::http
