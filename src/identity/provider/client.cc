#include "identity/provider/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace gatehouse::identity {
namespace {

constexpr std::array<std::string_view, 5> kGrantNames{"authorization_code", "client_credentials", "refresh_token",
                                                      "urn:ietf:params:oauth:grant-type:device_code",
                                                      "urn:ietf:params:oauth:grant-type:token-exchange"};
constexpr std::array<std::string_view, 6> kAuthNames{"none",
                                                     "client_secret_basic",
                                                     "client_secret_post",
                                                     "private_key_jwt",
                                                     "tls_client_auth",
                                                     "self_signed_tls_client_auth"};

template <class Enum, std::size_t N>
std::optional<Enum> parse_name(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<Enum>(found - names.begin());
}

bool contains(const std::vector<std::string>& list, std::string_view one) noexcept {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// scheme, authority and what follows it, of "scheme://authority/rest". Empty scheme: it isn't of this form.
struct UriParts {
  std::string_view scheme, authority, rest;
};
UriParts split_uri(std::string_view uri) noexcept {
  const std::size_t colon = uri.find("://");
  if (colon == std::string_view::npos) return {};
  const std::string_view behind = uri.substr(colon + 3);
  const std::size_t end = std::min(behind.find_first_of("/?#"), behind.size());
  return {uri.substr(0, colon), behind.substr(0, end), behind.substr(end)};
}

// "127.0.0.1" and "[::1]" of a loopback authority, whatever its port; empty for others. Not `localhost`, which is a
// name that somebody else may answer to (RFC 8252 §8.3).
std::string_view loopback_host(std::string_view authority) noexcept {
  for (const std::string_view host : {std::string_view("127.0.0.1"), std::string_view("[::1]")}) {
    if (!authority.starts_with(host)) continue;
    const std::string_view port = authority.substr(host.size());
    if (port.empty()) return host;
    std::uint32_t number = 0;
    const char* end = port.data() + port.size();
    if (port.size() > 1 && port.size() <= 6 && port.front() == ':' &&
        std::from_chars(port.data() + 1, end, number).ptr == end && number <= 65535) {
      return host;
    }
  }
  return {};
}

// An address that we ask ourselves: https, a host and no user; no fragment, nothing that needs escaping.
bool is_fetchable(std::string_view uri) noexcept {
  const UriParts parts = split_uri(uri);
  return uri.size() <= 2048 && parts.scheme == "https" && !parts.authority.empty() &&
         parts.authority.find('@') == std::string_view::npos &&
         std::all_of(uri.begin(), uri.end(), [](char c) { return c > 0x20 && c < 0x7f; }) &&
         uri.find_first_of("#\\\"<>`{}|^") == std::string_view::npos;
}

bool is_private_use_scheme(std::string_view uri) noexcept {
  const std::size_t colon = uri.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view scheme = uri.substr(0, colon);
  if (scheme.find('.') == std::string_view::npos) return false;
  return std::all_of(scheme.begin(), scheme.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+';
  });
}

}  // namespace

std::string_view name_of(GrantType grant) noexcept { return kGrantNames[static_cast<std::size_t>(grant)]; }
std::optional<GrantType> parse_grant_type(std::string_view name) noexcept {
  return parse_name<GrantType>(kGrantNames, name);
}
std::string_view name_of(ClientAuth method) noexcept { return kAuthNames[static_cast<std::size_t>(method)]; }
std::optional<ClientAuth> parse_client_auth(std::string_view name) noexcept {
  return parse_name<ClientAuth>(kAuthNames, name);
}

bool Client::may(GrantType grant) const noexcept {
  return std::find(settings.grants.begin(), settings.grants.end(), grant) != settings.grants.end();
}
bool Client::may_ask_for(std::string_view scope) const noexcept { return contains(settings.scopes, scope); }
bool Client::may_reach(std::string_view audience) const noexcept { return contains(settings.audiences, audience); }

bool redirect_uri_matches(std::string_view registered, std::string_view asked) noexcept {
  if (registered == asked) return true;
  const UriParts ours = split_uri(registered), theirs = split_uri(asked);
  if (ours.scheme != "http" || theirs.scheme != "http" || ours.rest != theirs.rest) return false;
  const std::string_view host = loopback_host(ours.authority);
  return !host.empty() && host == loopback_host(theirs.authority);
}

Status check_redirect_uri(std::string_view uri) {
  const auto refuse = [&](std::string_view why) -> Status {
    return fail(ErrorCode::invalid, fmt::format("redirect URI {}: {}", uri, why));
  };
  if (uri.empty() || uri.size() > 2048) return refuse("must have 1 to 2048 characters");
  if (std::any_of(uri.begin(), uri.end(), [](char c) { return c <= 0x20 || c >= 0x7f; }))
    return refuse("only visible ASCII is allowed");
  if (uri.find_first_of("#*\\\"<>`{}|^") != std::string_view::npos)
    return refuse("no fragment, no wildcard, nothing that needs escaping");
  const UriParts parts = split_uri(uri);
  if (parts.scheme != "https" && parts.scheme != "http") {
    return is_private_use_scheme(uri) ? Status{}
                                      : refuse("must be https, or a private scheme such as com.example.app:/");
  }
  if (parts.authority.empty() || parts.authority.find('@') != std::string_view::npos)
    return refuse("must name a host, and no user");
  if (parts.scheme == "http" && loopback_host(parts.authority).empty() && parts.authority != "localhost" &&
      !parts.authority.starts_with("localhost:")) {
    return refuse("plain http is for loopback addresses only");
  }
  if (parts.rest.find("/../") != std::string_view::npos || parts.rest.ends_with("/.."))
    return refuse("no dot segments");
  return {};
}

Status check_settings(const ClientSettings& s) {
  const auto has = [&](GrantType grant) {
    return std::find(s.grants.begin(), s.grants.end(), grant) != s.grants.end();
  };
  const auto refuse = [](std::string message) -> Status { return fail(ErrorCode::invalid, std::move(message)); };
  for (const auto* uris : {&s.redirect_uris, &s.post_logout_redirect_uris}) {
    for (const std::string& uri : *uris) {
      if (auto good = check_redirect_uri(uri); !good) return good;
    }
  }
  for (const std::string& scope : s.scopes) {
    if (!is_scope(scope)) return refuse(fmt::format("scope \"{}\" has characters that a scope cannot have", scope));
  }
  if (s.grants.empty()) return refuse("a client needs at least one grant type");
  if (has(GrantType::authorization_code) && s.redirect_uris.empty())
    return refuse("authorization_code needs a redirect URI");
  const bool is_public = s.auth == ClientAuth::none;
  if (is_public && has(GrantType::client_credentials)) return refuse("a client without a secret has no credentials");
  if (is_public && !s.require_pkce) return refuse("only confidential clients may do without PKCE");
  if (s.auth == ClientAuth::private_key_jwt && s.jwks.empty() && s.jwks_uri.empty())
    return refuse("private_key_jwt needs jwks or jwks_uri");
  if (!s.jwks.empty() && !s.jwks_uri.empty()) return refuse("jwks or jwks_uri, not both");  // RFC 7591 §2
  if (!s.jwks_uri.empty() && !is_fetchable(s.jwks_uri)) return refuse("jwks_uri must be an https URL");
  if (s.auth == ClientAuth::tls_client_auth && s.tls_subject.empty() == s.tls_san.empty())
    return refuse("tls_client_auth needs either a subject or a name of the certificate");
  if (s.auth == ClientAuth::self_signed_tls_client_auth && s.tls_sha256.size() != 64)
    return refuse("self_signed_tls_client_auth needs the SHA-256 of the certificate");
  if (!s.backchannel_logout_uri.empty() && !s.backchannel_logout_uri.starts_with("https://") &&
      !s.backchannel_logout_uri.starts_with("http://127.0.0.1")) {
    return refuse("the back-channel logout URI must be https");
  }
  if (!s.jwks.empty()) {
    if (auto keys = crypto::KeySet::parse(s.jwks); !keys) return tl::unexpected(std::move(keys.error()).while_("jwks"));
  }
  if (s.access_token_s < 10 || s.access_token_s > 86400) return refuse("access tokens live 10 s to 24 h");
  if (s.refresh_token_s < 60 || s.refresh_token_s > 366 * 86400) return refuse("refresh tokens live 60 s to a year");
  return {};
}

std::vector<std::string> split_scopes(std::string_view scopes) {
  std::vector<std::string> list;
  while (!scopes.empty()) {
    const std::size_t end = std::min(scopes.find(' '), scopes.size());
    std::string scope(scopes.substr(0, end));
    if (!scope.empty() && !contains(list, scope)) list.push_back(std::move(scope));
    scopes.remove_prefix(std::min(end + 1, scopes.size()));
  }
  return list;
}

std::string join_scopes(const std::vector<std::string>& scopes) { return fmt::format("{}", fmt::join(scopes, " ")); }

bool is_scope(std::string_view scope) noexcept {
  return !scope.empty() && scope.size() <= 256 &&
         std::all_of(scope.begin(), scope.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
}

}  // namespace gatehouse::identity
