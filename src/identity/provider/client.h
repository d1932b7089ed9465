#pragma once
// An application that may ask for tokens (RFC 6749 §2, RFC 7591 §2 for the names of what is said about it).
//
// Immutable once read: handlers share it by `shared_ptr<const Client>`.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "codec/json.h"
#include "crypto/jwk.h"

namespace gatehouse::identity {

enum class GrantType : std::uint8_t {
  authorization_code,
  client_credentials,
  refresh_token,
  device_code,     // RFC 8628
  token_exchange,  // RFC 8693
};
std::string_view name_of(GrantType grant) noexcept;  // as in `grant_type`
std::optional<GrantType> parse_grant_type(std::string_view name) noexcept;

enum class ClientAuth : std::uint8_t {
  none,  // a public client: it has no secret that it could keep
  client_secret_basic,
  client_secret_post,
  private_key_jwt,              // RFC 7523
  tls_client_auth,              // RFC 8705 §2.1
  self_signed_tls_client_auth,  // RFC 8705 §2.2
};
std::string_view name_of(ClientAuth method) noexcept;
std::optional<ClientAuth> parse_client_auth(std::string_view name) noexcept;

struct ClientSettings {
  ClientAuth auth = ClientAuth::client_secret_basic;
  std::vector<GrantType> grants{GrantType::authorization_code};
  std::vector<std::string> redirect_uris;              // exact; of loopback addresses any port (RFC 8252 §7.3)
  std::vector<std::string> post_logout_redirect_uris;  // exact
  std::string backchannel_logout_uri;
  std::vector<std::string> scopes{"openid"};  // that it may ask for
  std::vector<std::string> audiences;         // `resource` and `audience` that it may ask for (RFC 8707)
  std::vector<std::string> own_audiences;     // its own names as a service: it may exchange tokens made for them
  std::vector<std::string> roles;             // its own, in tokens of client_credentials
  std::string jwks;                           // its public keys, for private_key_jwt
  std::string jwks_uri;                       // or where they are: https
  std::string tls_subject;                    // tls_client_auth: RFC 4514
  std::string tls_san;                        // or "dns:a.example"
  std::string tls_sha256;                     // self_signed_tls_client_auth: of its certificate, hexadecimal
  crypto::JoseAlgorithm id_token_algorithm = crypto::JoseAlgorithm::es256;
  bool pairwise = false;           // subjects that other clients don't see (OIDC Core §8.1)
  std::string sector;              // host for that; empty: of its redirect URIs
  bool first_party = false;        // one of ours: its users are not asked for consent
  bool mfa = false;                // a second factor, always
  bool require_pkce = true;        // only confidential clients may do without
  bool require_par = false;        // RFC 9126 §6
  bool require_dpop = false;       // RFC 9449 §5.2
  bool certificate_bound = false;  // tokens are bound to its certificate (RFC 8705 §3)
  bool self_registered = false;    // RFC 7591; not by an administrator
  bool session_refresh = false;    // refresh tokens without offline_access, for as long as the session
  std::optional<std::uint32_t> default_max_age_s;
  std::uint32_t access_token_s = 600;
  std::uint32_t refresh_token_s = 30 * 24 * 3600;
  std::string logo_uri, client_uri, policy_uri, tos_uri;  // shown with its consent page
};

struct Client {
  std::string id;
  std::string name;  // for people
  ClientSettings settings;
  std::string secret_hash;  // SHA-256; empty: it has no secret
  bool enabled = true;
  WallTime created{}, updated{};

  bool is_public() const noexcept { return settings.auth == ClientAuth::none; }
  bool may(GrantType grant) const noexcept;
  bool may_ask_for(std::string_view scope) const noexcept;
  bool may_reach(std::string_view audience) const noexcept;
};

// Exact comparison of strings (RFC 9700 §4.1.3), the port of loopback IP redirects apart (RFC 8252 §7.3).
bool redirect_uri_matches(std::string_view registered, std::string_view asked) noexcept;
// Is it one that a client may register? https, or http to a loopback address, or a private-use scheme with a dot in it
// (RFC 8252 §7.1); no fragment, no user info, no wildcard, no control bytes.
Status check_redirect_uri(std::string_view uri);
// Are the settings consistent? The message is for whoever registers the client.
Status check_settings(const ClientSettings& settings);

// The JSON of column clients.settings and of the admin API: RFC 7591's names where it has one.
std::string to_json(const ClientSettings& settings);
Result<ClientSettings> settings_from_json(std::string_view json);
// Members that are not there stay as they are in `settings`.
Result<ClientSettings> settings_from_json(const codec::Json& json, ClientSettings settings = {});

// Space-separated lists (RFC 6749 §3.3).
std::vector<std::string> split_scopes(std::string_view scopes);
std::string join_scopes(const std::vector<std::string>& scopes);
bool is_scope(std::string_view scope) noexcept;  // RFC 6749 §3.3: NQCHAR, not empty

}  // namespace gatehouse::identity
