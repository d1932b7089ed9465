#include "http/canonical.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace gatehouse::http {
namespace {

constexpr std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// `name` equals `lower`, where `_` in the name counts as `-`: a CGI-like server sees no difference.
bool same_for_cgi(std::string_view name, std::string_view lower) noexcept {
  return name.size() == lower.size() &&
         std::equal(name.begin(), name.end(), lower.begin(), [](char a, char b) { return (a == '_' ? '-' : a) == b; });
}
bool starts_for_cgi(std::string_view name, std::string_view lower) noexcept {
  return name.size() >= lower.size() && same_for_cgi(name.substr(0, lower.size()), lower);
}

enum class Fate : std::uint8_t { keep, drop, single, cookie, connection, upgrade, te };

// What becomes of a field, by its name. The first letter rules most of them out.
Fate fate_of(std::string_view name) noexcept {
  if (name.empty()) return Fate::drop;
  switch (name.front()) {
    case 'a': return name == "authorization" ? Fate::single : Fate::keep;
    case 'c':
      if (name == "cookie") return Fate::cookie;
      if (name == "connection") return Fate::connection;
      if (same_for_cgi(name, "content-length")) return Fate::drop;
      return name == "content-type" ? Fate::single : Fate::keep;
    case 'e': return name == "expect" ? Fate::drop : Fate::keep;
    case 'h': return name == "host" || name == "http2-settings" ? Fate::drop : Fate::keep;
    case 'k': return name == "keep-alive" ? Fate::drop : Fate::keep;
    case 'o': return name == "origin" ? Fate::single : Fate::keep;
    case 'p':
      // `Proxy` becomes HTTP_PROXY in CGI (CVE-2016-5385); credentials for a proxy end at the proxy.
      return name == "proxy" || same_for_cgi(name, "proxy-connection") || same_for_cgi(name, "proxy-authorization")
                 ? Fate::drop
                 : Fate::keep;
    case 'r': return is_identity_field(name) ? Fate::drop : Fate::keep;
    case 't':
      if (name == "te") return Fate::te;
      return name == "trailer" || same_for_cgi(name, "transfer-encoding") ? Fate::drop : Fate::keep;
    case 'u': return name == "upgrade" ? Fate::upgrade : Fate::keep;
    case 'x':
      return same_for_cgi(name, "x-original-url") || same_for_cgi(name, "x-rewrite-url") ||
                     same_for_cgi(name, "x-http-method-override") || same_for_cgi(name, "x-http-method") ||
                     same_for_cgi(name, "x-method-override") || is_identity_field(name)
                 ? Fate::drop
                 : Fate::keep;
    default: return Fate::keep;
  }
}

// Fields that a Connection option cannot remove: a client would take from the next hop what this one relied upon.
bool is_end_to_end_for_sure(std::string_view name) noexcept {
  static constexpr std::array<std::string_view, 9> kNames = {
      "authorization", "cookie", "origin", "range", "via", "cache-control", "x-api-key", "x-request-id", "traceparent"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end() || name.starts_with("content-") ||
         is_forwarding_field(name);
}

// The options of all Connection fields, in lower case.
struct ConnectionOptions {
  std::array<std::string_view, kConnectionOptionsMax> names;
  std::size_t count = 0;
  bool upgrade = false;

  Reason parse(std::string_view value, Arena& arena) {
    while (true) {
      const std::size_t comma = value.find(',');
      const std::string_view option = trim(value.substr(0, comma));
      if (equals_ignoring_case(option, "upgrade")) {
        upgrade = true;
      } else if (!option.empty() && !equals_ignoring_case(option, "close") &&
                 !equals_ignoring_case(option, "keep-alive")) {
        if (count == names.size()) return Reason::too_many_headers;
        names[count++] = lower_case(option, arena);
      }
      if (comma == std::string_view::npos) return Reason::none;
      value.remove_prefix(comma + 1);
    }
  }

  bool removes(std::string_view name) const noexcept {
    return std::find(names.begin(), names.begin() + count, name) != names.begin() + count &&
           !is_end_to_end_for_sure(name);
  }

 private:
  static std::string_view lower_case(std::string_view text, Arena& arena) {
    char* const out = arena.allocate(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
      out[i] = text[i] >= 'A' && text[i] <= 'Z' ? static_cast<char>(text[i] + 32) : text[i];
    }
    return {out, text.size()};
  }
};

// RFC 9113 §8.2.3: HTTP/2 splits Cookie for compression; upstreams of HTTP/1.1 expect one.
std::string_view join_cookies(const Fields& fields, Arena& arena) {
  std::size_t size = 0;
  for (const Field& field : fields) {
    if (field.name == "cookie") size += field.value.size() + 2;
  }
  char* const out = arena.allocate(size);
  std::size_t at = 0;
  for (const Field& field : fields) {
    if (field.name != "cookie" || field.value.empty()) continue;
    if (at != 0) {
      std::memcpy(out + at, "; ", 2);
      at += 2;
    }
    std::memcpy(out + at, field.value.data(), field.value.size());
    at += field.value.size();
  }
  return {out, at};
}

void add_copy(const Field& field, Arena& arena, Fields& out) {
  const std::size_t name = field.name.size(), value = field.value.size();
  char* const to = arena.allocate(name + value);
  std::memcpy(to, field.name.data(), name);
  if (value != 0) std::memcpy(to + name, field.value.data(), value);
  out.add({to, name}, {to + name, value});
}

Reason copy_fields(const RequestHead& head, const CanonicalOptions& options, Arena& arena, CanonicalRequest& out) {
  ConnectionOptions connection;
  std::size_t cookies = 0, upgrades = 0;
  std::string_view upgrade;
  out.fields.clear();
  out.fields.reserve(head.fields.size());
  for (const Field& field : head.fields) {
    if (!options.allow_underscore_names && field.name.find('_') != std::string_view::npos) {
      return Reason::underscore_in_name;
    }
    switch (fate_of(field.name)) {
      case Fate::drop: continue;
      case Fate::te: out.te_trailers = head.fields.has_token("te", "trailers"); continue;
      case Fate::connection:
        if (const Reason reason = connection.parse(field.value, arena); reason != Reason::none) return reason;
        continue;
      case Fate::upgrade:
        ++upgrades;
        upgrade = field.value;
        continue;
      case Fate::cookie:
        if (++cookies > 1) continue;
        break;
      case Fate::single:
        if (out.fields.has(field.name)) return Reason::duplicate_field;
        break;
      case Fate::keep: break;
    }
    add_copy(field, arena, out.fields);
  }
  if (cookies > 1) out.fields.set("cookie", join_cookies(head.fields, arena));
  if (connection.count != 0) {
    out.fields.remove_if([&](const Field& field) { return connection.removes(field.name); });
  }
  // HTTP/1.0 has no Upgrade, and without the Connection option the field was not meant for us (RFC 9110 §7.8).
  if (connection.upgrade && upgrades != 0 && head.version == Version::http11) {
    if (upgrades > 1) return Reason::bad_upgrade;
    out.upgrade = arena.copy(upgrade);
  }
  return Reason::none;
}

// Kept byte for byte, except that what may not leave in a request target is encoded (bytes above 0x7f) or refused.
Reason copy_query(std::string_view raw, Arena& arena, std::string_view& out) {
  std::size_t high = 0;
  for (char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x7f) {
      ++high;
    } else if (byte == ' ' || byte == '#') {
      return Reason::bad_target;
    } else if (byte < 0x20 || byte == 0x7f) {
      return Reason::control_byte;
    }
  }
  if (high == 0) [[likely]] {
    out = arena.copy(raw);
    return Reason::none;
  }
  static constexpr char kDigits[] = "0123456789ABCDEF";
  char* const buffer = arena.allocate(raw.size() + 2 * high);
  std::size_t at = 0;
  for (char c : raw) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte > 0x7f) {
      buffer[at++] = '%';
      buffer[at++] = kDigits[byte >> 4];
      buffer[at++] = kDigits[byte & 15];
    } else {
      buffer[at++] = c;
    }
  }
  out = {buffer, at};
  return Reason::none;
}

Reason copy_target(const RequestHead& head, const CanonicalOptions& options, Arena& arena, CanonicalRequest& out) {
  if (head.target == "*") {  // RFC 9112 §3.2.4
    if (head.method != "OPTIONS") return Reason::bad_target;
    out.path = "*";
    return Reason::none;
  }
  const std::size_t mark = head.target.find('?');
  const Reason reason = canonicalize_path(head.target.substr(0, mark), options, arena, out.path);
  if (reason != Reason::none || mark == std::string_view::npos) return reason;
  out.has_query = true;
  return copy_query(head.target.substr(mark + 1), arena, out.query);
}

}  // namespace

bool is_identity_field(std::string_view name) noexcept {
  if (starts_for_cgi(name, "x-gatehouse")) return name.size() == 11 || name[11] == '-' || name[11] == '_';
  static constexpr std::array<std::string_view, 7> kNames = {"x-user",   "x-user-roles",  "x-user-scopes", "x-roles",
                                                             "x-scopes", "x-remote-user", "remote-user"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) { return same_for_cgi(name, known); });
}

bool is_forwarding_field(std::string_view name) noexcept {
  if (starts_for_cgi(name, "x-forwarded")) return name.size() == 11 || name[11] == '-' || name[11] == '_';
  static constexpr std::array<std::string_view, 6> kNames = {
      "forwarded", "x-real-ip", "x-client-ip", "x-original-host", "true-client-ip", "x-cluster-client-ip"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) { return same_for_cgi(name, known); });
}

std::size_t strip_forwarding_fields(Fields& fields) {
  const std::size_t before = fields.size();
  fields.remove_if([](const Field& field) { return is_forwarding_field(field.name); });
  return before - fields.size();
}

Reason canonicalize(const RequestHead& head, const CanonicalOptions& options, Arena& arena, CanonicalRequest& out) {
  // Not `out = {}`: the fields keep their memory from request to request.
  out.path = out.query = out.upgrade = out.authority = out.host = {};
  out.has_query = out.te_trailers = false;
  out.version = head.version;
  out.content_length = head.content_length;
  out.expect_continue = head.expect_continue;
  out.method = arena.copy(head.method);
  out.protocol = arena.copy(head.protocol);
  out.fields.clear();
  if (!is_token(head.method)) return Reason::bad_method;
  if (head.method == "CONNECT" && head.protocol.empty()) return Reason::bad_method;  // we are no forward proxy
  if (head.scheme != "http" && head.scheme != "https") return Reason::bad_target;
  out.scheme = head.scheme == "https" ? "https" : "http";
  if (const Reason reason = canonicalize_authority(head.authority, out.scheme, arena, out.authority, out.host);
      reason != Reason::none) {
    return reason;
  }
  if (const Reason reason = copy_target(head, options, arena, out); reason != Reason::none) return reason;
  return copy_fields(head, options, arena, out);
}

}  // namespace gatehouse::http
