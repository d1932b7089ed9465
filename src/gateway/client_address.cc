#include "gateway/client_address.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "gateway/arena_text.h"

namespace gatehouse::gateway {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool is_port(std::string_view text) noexcept {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:80"
std::optional<IpAddress> parse_hop(std::string_view text) noexcept {
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view rest = text.substr(end + 1), inside = text.substr(1, end - 1);
    if (!rest.empty() && (rest.front() != ':' || !is_port(rest.substr(1)))) return std::nullopt;
    return inside.find(':') == std::string_view::npos ? std::nullopt : IpAddress::parse(inside);
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && text.find(':', colon + 1) == std::string_view::npos) {
    return is_port(text.substr(colon + 1)) ? IpAddress::parse(text.substr(0, colon)) : std::nullopt;
  }
  return IpAddress::parse(text);
}

// One element of a chain: a hop, and the scheme on which it was received where the field says so.
struct Hop {
  std::optional<IpAddress> address;
  std::string_view scheme;
};

std::string_view known_scheme(std::string_view text) noexcept {
  if (http::equals_ignoring_case(text, "https")) return "https";
  if (http::equals_ignoring_case(text, "http")) return "http";
  return {};
}

Hop parse_x_forwarded_for(std::string_view element) noexcept { return {parse_hop(trimmed(element)), {}}; }

// `for="[2001:db8::1]:80";proto=https;by=_x` (RFC 7239 §4). Obfuscated and unknown hops have no address.
Hop parse_forwarded(std::string_view element) noexcept {
  Hop hop;
  bool for_seen = false;
  while (!element.empty()) {
    // Separators inside quotes occur in none of the values we read; one that has them fails to parse below.
    std::string_view pair = element.substr(0, element.find(';'));
    element.remove_prefix(std::min(pair.size() + 1, element.size()));
    pair = trimmed(pair);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) return {};
    const std::string_view name = pair.substr(0, equals);
    std::string_view value = pair.substr(equals + 1);
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    if (http::equals_ignoring_case(name, "for")) {
      if (for_seen) return {};
      for_seen = true;
      // An IPv6 address must stand in brackets here (§6).
      if (std::count(value.begin(), value.end(), ':') <= 1 || value.starts_with('[')) hop.address = parse_hop(value);
    } else if (http::equals_ignoring_case(name, "proto")) {
      hop.scheme = known_scheme(value);
    }
  }
  return hop;
}

struct Walk {
  bool present = false;
  ClientAddress client;
};

// From the last element of the last line to the left. A comma inside quotes would cut an element in two, neither of
// which parses: such an element counts as malformed, if a trusted proxy wrote it.
template <class Parse>
Walk walk(std::string_view name, Parse parse, const IpAddress& peer, const http::Fields& fields,
          const NetworkMap& trusted) {
  Walk walked;
  ClientAddress& client = walked.client;
  client.address = peer;
  for (auto line = std::make_reverse_iterator(fields.end()); line != std::make_reverse_iterator(fields.begin());
       ++line) {
    if (line->name != name) continue;
    walked.present = true;
    std::string_view rest = line->value;
    for (bool more = true; more;) {
      const std::size_t comma = rest.rfind(',');
      more = comma != std::string_view::npos;
      const std::string_view element = more ? rest.substr(comma + 1) : rest;
      if (more) rest = rest.substr(0, comma);
      // `client.address` is a trusted proxy, and this element is what it wrote about the hop before it.
      const Hop hop = parse(element);
      if (!hop.address || client.proxy_count == ClientAddress::kHopsMax) {
        client.status = ForwardedStatus::malformed;
        return walked;
      }
      client.proxies[client.proxy_count++] = client.address;
      client.address = *hop.address;
      client.scheme = hop.scheme;
      if (!trusted.contains(*hop.address)) return walked;
    }
  }
  return walked;
}

}  // namespace

std::string_view reason_code(ForwardedStatus status) noexcept {
  switch (status) {
    case ForwardedStatus::ok: return {};
    case ForwardedStatus::malformed: return "http.bad_forwarded";
    case ForwardedStatus::conflicting: return "http.forwarded_conflict";
  }
  return {};
}

ClientAddress find_client(const http::ConnectionInfo& connection, const http::Fields& fields,
                          const NetworkMap& trusted) {
  ClientAddress client;
  client.address = connection.client;
  if (!trusted.contains(connection.client)) return client;
  Walk plain = walk("x-forwarded-for", parse_x_forwarded_for, connection.client, fields, trusted);
  const Walk standard = walk("forwarded", parse_forwarded, connection.client, fields, trusted);
  if (plain.present && standard.present) {
    if (plain.client.status == ForwardedStatus::ok &&
        (standard.client.status != ForwardedStatus::ok || standard.client.address != plain.client.address)) {
      plain.client.status = ForwardedStatus::conflicting;
    }
    if (plain.client.scheme.empty()) plain.client.scheme = standard.client.scheme;
  }
  client = plain.present ? plain.client : standard.present ? standard.client : client;
  if (fields.count("x-forwarded-proto") == 1) {
    const std::string_view scheme = known_scheme(*fields.get("x-forwarded-proto"));
    if (client.scheme.empty()) client.scheme = scheme;
  }
  // The walk lists the nearest proxy first.
  std::reverse(client.proxies.begin(), client.proxies.begin() + client.proxy_count);
  return client;
}

void set_forwarded(const ClientAddress& client, std::string_view scheme, std::string_view authority, Arena& arena,
                   http::Fields& fields) {
  fields.remove_if(
      [](const http::Field& field) { return field.name == "forwarded" || field.name.starts_with("x-forwarded-"); });
  if (!client.scheme.empty()) scheme = client.scheme;
  const std::size_t hops = client.proxy_count + std::size_t{1};
  ArenaText chain(arena, hops * (ArenaText::kAddressMax + 2));
  ArenaText forwarded(arena, hops * (ArenaText::kAddressMax + 12) + authority.size() + scheme.size() + 32);
  const auto add_for = [&forwarded](const IpAddress& address) {
    if (address.is_v4()) {
      forwarded.add("for=").add(address);
    } else {
      forwarded.add("for=\"[").add(address).add("]\"");
    }
  };
  chain.add(client.address);
  add_for(client.address);
  // The authority has passed the canonical form: no quotes and no backslashes.
  forwarded.add(";host=\"").add(authority).add("\";proto=").add(scheme);
  for (std::size_t i = 0; i < client.proxy_count; ++i) {
    chain.add(", ").add(client.proxies[i]);
    forwarded.add(", ");
    add_for(client.proxies[i]);
  }
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != std::string_view::npos && is_port(authority.substr(colon + 1));
  fields.add("x-forwarded-for", chain.view());
  fields.add("x-forwarded-proto", scheme);
  fields.add("x-forwarded-host", authority);
  fields.add("x-forwarded-port", has_port ? authority.substr(colon + 1) : scheme == "https" ? "443" : "80");
  fields.add("forwarded", forwarded.view());
}

}  // namespace gatehouse::gateway
