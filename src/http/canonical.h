#pragma once
// The one form of a request that routing, authorization, inspection and the upstream all see (design: one parse, one
// canonical form). RFC 3986 §6.2.2, RFC 9110 §4.2.3 and §7.6.1.
//
// Copies everything into the arena: the result lives as long as the arena, whatever happens to the connection's buffer.

#include <cstddef>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace gatehouse::http {

struct CanonicalOptions {
  bool allow_encoded_slash = false;  // %2F stays encoded in the path instead of being refused
  bool allow_encoded_backslash = false;
  bool allow_underscore_names = false;
};

struct CanonicalRequest {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;  // lower case, default port removed: "shop.example", "shop.example:8443"
  std::string_view host;       // authority without the port; an IPv6 literal without brackets
  std::string_view path;   // unreserved bytes decoded once, other escapes upper case, no dot segments, single slashes
  std::string_view query;  // as it came, without '?'
  bool has_query = false;  // tells "/a?" from "/a"
  Version version = Version::http11;
  std::string_view protocol;  // extended CONNECT
  std::string_view upgrade;   // the Upgrade field's value when the request asks for one, else empty
  Fields fields;              // hop-by-hop fields and what Connection named are gone; repeated cookies joined with "; "
  std::optional<std::uint64_t> content_length;
  bool expect_continue = false;
  bool te_trailers = false;  // the client accepts trailers (gRPC)
};

// What becomes of header fields, besides the hop-by-hop ones:
// - Fields that only the gateway may say (`is_identity_field`), that override the path (X-Original-URL, X-Rewrite-URL)
//   or the method (X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override), of which we have judged the real one, or
//   that CGI mistakes for configuration (Proxy) are dropped.
// - Connection cannot name away what the whole chain relies on (Authorization, Cookie, Content-*, Forwarded ...): those
//   stay. More than kConnectionOptionsMax options are refused, because each is compared with each field.
// - A repeated Authorization, Content-Type or Origin is refused (duplicate_field): we would judge the first and the
//   upstream might use the last.
inline constexpr std::size_t kConnectionOptionsMax = 16;

// Reason::none when `out` is good; otherwise why the request is refused, and `out` is as far as it got.
Reason canonicalize(const RequestHead& head, const CanonicalOptions& options, Arena& arena, CanonicalRequest& out);

// Host or :authority alone (RFC 3986 §3.2.2), stricter than the RFC: a DNS name of letters, digits, `-`, `_` and dots,
// an IPv4 address in its only spelling, or an IPv6 address in brackets; no userinfo, no escapes; a port from 1 to
// 65535. A trailing dot is removed. `host` is the part of `authority` that names the host.
Reason canonicalize_authority(std::string_view raw, std::string_view scheme, Arena& arena, std::string_view& authority,
                              std::string_view& host);

// Fields by which the gateway tells an upstream who calls: x-gatehouse-*, x-user, x-roles ... `_` counts as `-`.
bool is_identity_field(std::string_view name) noexcept;
// Fields by which proxies tell where a request came from: Forwarded, X-Forwarded-*, X-Real-IP ... `_` counts as `-`.
// Believed from trusted peers only; rebuilt in any case.
bool is_forwarding_field(std::string_view name) noexcept;
std::size_t strip_forwarding_fields(Fields& fields);  // how many there were

// The path alone, for tests, fuzzing and rewriting. `out` points into the arena.
Reason canonicalize_path(std::string_view raw, const CanonicalOptions& options, Arena& arena, std::string_view& out);

}  // namespace gatehouse::http
