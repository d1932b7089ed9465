// The kinds of values that name something on the network, or elsewhere in the file.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "app/config/scalars.h"

namespace gatehouse::app {
namespace {

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

Parsed parse_listen_address(Reader& reader, std::string_view written, gateway::Address& into) {
  static constexpr std::string_view kForms = "0.0.0.0:8443, \"[::]:8443\" or unix:/path";
  if (written.starts_with("unix:")) return parse_unix_path(reader, written.substr(5), into);
  if (written.starts_with("*:") || written.starts_with(":")) {
    return Refusal{in_quotes(written) + " is not an address",
                   fmt::format("for all interfaces: \"0.0.0.0{0}\" or \"[::]{0}\"", written.substr(written.find(':')))};
  }
  const auto address = parse_host_port(written, std::nullopt);
  if (!address) return Refusal{in_quotes(written) + " is not an address", std::string(kForms)};
  const auto ip = IpAddress::parse(address->host);
  if (!ip) {
    return Refusal{fmt::format("cannot listen on the name \"{}\"", address->host),
                   address->host == "localhost" ? fmt::format("write 127.0.0.1:{}", address->port)
                                                : "write an IP address of this machine, or 0.0.0.0 for all"};
  }
  into = *address;
  into.host = ip->to_string();
  return std::nullopt;
}

Parsed parse_network(std::string_view written, Network& into) {
  const auto network = Network::parse(written);
  if (network) return into = *network, std::nullopt;
  const std::size_t slash = written.find('/');
  const auto base = IpAddress::parse(written.substr(0, slash));
  unsigned prefix = 0;
  const std::string_view digits = slash == std::string_view::npos ? std::string_view() : written.substr(slash + 1);
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const unsigned bits = base && base->is_v4() ? 32 : 128;
  if (base && failure == std::errc() && end == digits.data() + digits.size() && prefix <= bits) {
    // Only the host bits can be what is wrong: say what was probably meant.
    IpAddress masked = *base;
    const unsigned keep = prefix + (128 - bits);
    for (unsigned i = keep; i < 128; ++i) masked.bytes[i / 8] &= static_cast<std::uint8_t>(~(0x80U >> (i % 8)));
    return Refusal{
        in_quotes(written) + " has bits set behind its prefix",
        fmt::format("the network is {}/{}; one address alone is {}", masked.to_string(), prefix, base->to_string())};
  }
  return Refusal{in_quotes(written) + " is not a network", "10.0.0.0/8, \"fd00::/8\" or one address"};
}

template <class T>
Kind<std::uint32_t> reference(std::string_view what, std::vector<T> gateway::Config::*list) {
  return text_form<std::uint32_t>(
      {.title = fmt::format("name of a {}", what),
       .parse = [=](Reader& reader, std::string_view written, YamlPosition, std::uint32_t& into) -> Parsed {
         const std::vector<T>& all = reader.config().*list;
         std::vector<std::string_view> names;
         for (std::size_t i = 0; i < all.size(); ++i) {
           if (all[i].name == written) return into = static_cast<std::uint32_t>(i), std::nullopt;
           if (names.size() < 1000) names.push_back(all[i].name);
         }
         const std::string_view guess = closest(written, names);
         std::string known;
         for (const std::string_view n : names) {
           if (known.size() > 120) {
             known += ", ...";
             break;
           }
           known += (known.empty() ? "" : ", ") + std::string(n);
         }
         return Refusal{fmt::format("there is no {} {}", what, in_quotes(written)),
                        !guess.empty()  ? fmt::format("did you mean \"{}\"?", guess)
                        : known.empty() ? fmt::format("define it under {}s", what)
                                        : fmt::format("known: {}", known)};
       },
       .format = [=](const Writer& writer, const std::uint32_t& index) -> std::string {
         const std::vector<T>& all = writer.config.*list;
         return index < all.size() ? all[index].name : std::string();
       }});
}

}  // namespace

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return out;
}

std::string in_quotes(std::string_view text) {
  std::size_t end = std::min<std::size_t>(text.size(), 80);
  while (end < text.size() && end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("\"{}{}\"", text.substr(0, end), end < text.size() ? "..." : "");
}

bool covers_everyone(const Network& network) noexcept {
  return network.prefix == 0 || (network.base.is_v4() && network.prefix == 96);
}

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alnum(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

bool is_domain_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 253) return false;
  std::size_t label = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || text[i] == '.') {
      if (label == 0 || label > 63 || text[i - 1] == '-' || text[i - label] == '-') return false;
      label = 0;
    } else if (is_alnum(text[i]) || text[i] == '-' || text[i] == '_') {
      ++label;  // '_' is not a host name's, but SRV names and containers have it
    } else {
      return false;
    }
  }
  return true;
}

std::optional<gateway::Address> parse_host_port(std::string_view text, std::optional<std::uint16_t> default_port) {
  gateway::Address address;
  std::string_view port;
  bool has_port = false;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos) return std::nullopt;
    address.host = text.substr(1, close - 1);
    const auto ip = IpAddress::parse(address.host);
    if (!ip || ip->is_v4()) return std::nullopt;
    text.remove_prefix(close + 1);
    if (!text.empty() && text[0] != ':') return std::nullopt;
    has_port = !text.empty();
    port = has_port ? text.substr(1) : text;
  } else {
    const std::size_t colon = text.find(':');
    if (colon != std::string_view::npos && text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;
    has_port = colon != std::string_view::npos;
    address.host = lower(text.substr(0, colon));
    port = has_port ? text.substr(colon + 1) : std::string_view();
    if (!is_domain_name(address.host)) return std::nullopt;
    // "1.2.3.400" and "127.1" are addresses to some and names to others
    const bool numeric = address.host.find_first_not_of("0123456789.") == std::string::npos;
    if (numeric && !IpAddress::parse(address.host)) return std::nullopt;
  }
  if (!has_port) {
    if (!default_port) return std::nullopt;
    address.port = *default_port;
    return address;
  }
  const auto [end, failure] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (failure != std::errc() || end != port.data() + port.size()) return std::nullopt;
  return address;
}

Parsed parse_unix_path(Reader& reader, std::string_view written, gateway::Address& into) {
  if (written.empty()) return Refusal{"a Unix socket needs a path", "unix:/run/gatehouse/x.sock"};
  into.unix_path = reader.absolute(written);
  if (into.unix_path.size() > 107) {  // sockaddr_un holds 108 bytes with the zero
    return Refusal{fmt::format("the path of a Unix socket can have at most 107 bytes: {}", into.unix_path), {}};
  }
  return std::nullopt;
}

Kind<gateway::Address> listen_address() {
  return text_form<gateway::Address>(
      {.title = "address",
       .pattern = "^(unix:.+|.+:[0-9]{1,5})$",
       .parse = [](Reader& reader, std::string_view written, YamlPosition,
                   gateway::Address& into) { return parse_listen_address(reader, written, into); },
       .format =
           [](const Writer&, const gateway::Address& value) {
             return value.host.empty() && value.unix_path.empty() ? std::string() : value.to_string();
           }});
}

Kind<Network> network() {
  return text_form<Network>({.title = "network",
                             .pattern = "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
                             .parse = [](Reader&, std::string_view written, YamlPosition,
                                         Network& into) { return parse_network(written, into); },
                             .format = [](const Writer&, const Network& value) { return value.to_string(); }});
}

Kind<std::string> domain_name() {
  return text_form<std::string>(
      {.title = "domain name",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (!is_domain_name(written)) return Refusal{in_quotes(written) + " is not a domain name", {}};
         into = lower(written);
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> header_name() {
  return text_form<std::string>(
      {.title = "header name",
       .pattern = "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (!is_token(written) || written.size() > 256)
           return Refusal{in_quotes(written) + " is not a header name", {}};
         into = lower(written);
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> header_value() {
  return text_form<std::string>(
      {.title = "header value",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         const bool clean = std::none_of(written.begin(), written.end(), [](char c) {
           return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
         });
         if (!clean) return Refusal{"a header value can't hold line breaks or control characters", {}};
         if (written.size() > 8192) return Refusal{"a header value can have at most 8192 bytes", {}};
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

Kind<std::string> method() {
  return text_form<std::string>(
      {.title = "method",
       .pattern = "^[!#$%&'*+.^_`|~0-9A-Z-]+$",
       .parse = [](Reader&, std::string_view written, YamlPosition, std::string& into) -> Parsed {
         if (!is_token(written) || written.size() > 32) return Refusal{in_quotes(written) + " is not a method", {}};
         std::string upper(written);
         for (char& c : upper) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
         if (upper != written) {  // methods are case-sensitive (RFC 9110 §9.1): `get` would match nothing
           return Refusal{"methods are upper case", fmt::format("did you mean \"{}\"?", upper)};
         }
         if (upper == "TRACE" || upper == "TRACK") {
           return Refusal{in_quotes(written) + " is never passed on",
                          "its answer would repeat the fields that the gateway adds for the service alone"};
         }
         static constexpr std::array<std::string_view, 8> kUsual{"GET",    "HEAD",    "POST",    "PUT",
                                                                 "DELETE", "OPTIONS", "CONNECT", "PATCH"};
         if (std::find(kUsual.begin(), kUsual.end(), written) == kUsual.end()) {
           const std::string_view guess = closest(written, kUsual);
           if (!guess.empty())
             return Refusal{in_quotes(written) + " is not a method", fmt::format("did you mean \"{}\"?", guess)};
         }
         into = written;
         return std::nullopt;
       },
       .format = [](const Writer&, const std::string& value) { return value; }});
}

bool carries_secret(std::string_view header) noexcept {
  static constexpr std::array<std::string_view, 8> kWords{"authorization", "cookie",  "token",  "secret",
                                                          "password",      "api-key", "apikey", "credential"};
  return std::any_of(kWords.begin(), kWords.end(),
                     [header](std::string_view word) { return header.find(word) != std::string_view::npos; });
}

Kind<std::uint32_t> zone_name() { return reference("zone", &gateway::Config::zones); }
Kind<std::uint32_t> service_name() { return reference("service", &gateway::Config::services); }

}  // namespace gatehouse::app
