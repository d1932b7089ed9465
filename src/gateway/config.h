#pragma once
// The gateway's configuration as values. `app/config` reads it from YAML by one table that defines every key; here is
// only what the data path needs. Immutable once built: shards share it by `shared_ptr<const Config>`.
//
// References between parts are indices that the loader has checked; file paths are absolute.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"
#include "base/secret_bytes.h"
#include "gateway/address.h"
#include "gateway/telemetry_config.h"
#include "telemetry/decision_record.h"

namespace gatehouse::schema {
class OpenApiModel;
}

namespace gatehouse::gateway {

using telemetry::Mode;
using namespace std::chrono_literals;

struct Zone {
  std::string name;
  std::vector<Network> networks;
};

struct TlsCertificateFiles {
  std::string cert, key, ocsp;
  bool auto_issue = false;  // `auto: true`: issued by Gatehouse's own authority in data_dir
  bool operator==(const TlsCertificateFiles&) const = default;
};

enum class ClientAuthMode : std::uint8_t { none, optional, required };
enum class ProxyProtocol : std::uint8_t { off, v1, v2, any };

struct ListenerTls {
  std::vector<TlsCertificateFiles> certificates;
  bool min_version_13 = false;
  std::string client_ca;
  ClientAuthMode client_auth = ClientAuthMode::none;
  std::vector<std::string> alpn{"h2", "http/1.1"};
  bool operator==(const ListenerTls&) const = default;
};

struct ListenerLimits {
  std::uint32_t connections = 20000;
  std::uint32_t connections_per_ip = 200;
  std::uint32_t header_bytes = 32 * 1024;
  std::uint32_t headers = 100;
  std::uint32_t uri_bytes = 8 * 1024;
  std::uint64_t body_bytes = 10 * 1024 * 1024;
  Duration header_timeout = 10s;
  std::uint32_t body_min_rate = 500;  // bytes per second; 0: no bound
  Duration idle_timeout = 60s;
  std::uint32_t requests_per_connection = 10000;
  std::uint32_t h2_streams = 100;
  bool operator==(const ListenerLimits&) const = default;
};

struct ListenerConfig {
  std::string name;
  Address address;
  std::uint32_t zone = 0;  // index into zones: of clients that match no network
  std::optional<ListenerTls> tls;
  ProxyProtocol proxy_protocol = ProxyProtocol::off;
  std::vector<Network> trusted_proxies;
  bool http2_cleartext = true;       // h2c by prior knowledge on plain listeners
  bool trust_trace_context = false;  // an inbound traceparent is the parent, not a link
  bool allow_underscore_headers = false;
  ListenerLimits limits;
};

enum class UpstreamProtocol : std::uint8_t { http1, h2 };

struct EndpointConfig {
  Address address;
  bool tls = false;                                     // https, h2
  UpstreamProtocol protocol = UpstreamProtocol::http1;  // h2c, h2: http/2
  bool resolve_srv = false;                             // dns+srv://name
  std::string url;                                      // as configured
  std::uint32_t weight = 1;
  bool operator==(const EndpointConfig&) const = default;
};

enum class Balance : std::uint8_t { round_robin, least_requests, random_two, hash };
enum class Sensitivity : std::uint8_t { low, normal, high };

struct HashOn {
  enum class Kind : std::uint8_t { client_ip, header, cookie, user } kind = Kind::client_ip;
  std::string name;
  bool operator==(const HashOn&) const = default;
};

struct HealthConfig {
  std::string path = "/healthz";
  Duration interval = 5s, timeout = 1s;
  std::uint32_t unhealthy_after = 2, healthy_after = 2;
  bool operator==(const HealthConfig&) const = default;
};
struct OutlierConfig {
  std::uint32_t consecutive_errors = 5;
  Duration ejection = 30s;
  std::uint32_t max_ejected_percent = 50;
  bool operator==(const OutlierConfig&) const = default;
};
struct CircuitConfig {  // of the whole service, over all shards
  std::uint32_t connections = 1024, pending = 1024, requests = 4096;
  bool operator==(const CircuitConfig&) const = default;
};
struct TimeoutConfig {
  Duration connect = 1s, response = 30s, idle = 60s;
  bool operator==(const TimeoutConfig&) const = default;
};
struct RetryConfig {
  std::uint32_t attempts = 2;  // in all, the first included; 1: none
  bool on_connect_failure = true, on_reset = true;
  std::vector<int> on_status{502, 503};
  std::uint32_t budget_percent = 20;  // retries ÷ requests over the last ten seconds
  bool operator==(const RetryConfig&) const = default;
};
struct UpstreamTlsConfig {
  std::string ca, sni, client_cert, client_key;
  bool verify = true;
  bool operator==(const UpstreamTlsConfig&) const = default;
};

// A service that this process is itself (local_service.h); it has no endpoints.
enum class LocalTarget : std::uint8_t { none, identity, relying_party };

struct ServiceConfig {
  std::string name;
  LocalTarget local = LocalTarget::none;
  std::vector<EndpointConfig> endpoints;
  Sensitivity sensitivity = Sensitivity::normal;
  Balance balance = Balance::least_requests;
  HashOn hash_on;
  std::optional<HealthConfig> health;
  OutlierConfig outliers;
  CircuitConfig circuit;
  TimeoutConfig timeouts;
  RetryConfig retry;
  UpstreamTlsConfig tls;
  bool operator==(const ServiceConfig&) const = default;
};

struct HeaderMatch {
  std::string name;   // lower case
  std::string value;  // exact; empty with `present`: any value
  bool present = false;
};

struct MatchConfig {
  std::vector<std::string> hosts;  // "shop.example", "*.shop.example"; empty: any
  std::string path = "/**";        // "/a/b" exact, "/a/*" one segment, "/a/{id}/x" one segment, "/a/**" the rest
  std::vector<std::string> methods;
  std::vector<HeaderMatch> headers;
  std::vector<std::pair<std::string, std::string>> query;  // parameter, value; exact
};

struct WeightedService {
  std::uint32_t service = 0;  // index into services
  std::uint32_t weight = 1;
};

struct AccessConfig {
  std::vector<std::string> roles, scopes;  // one of the roles; all of the scopes
  std::string audience;
  bool mfa = false;
  Duration mfa_max_age = 15min;
  bool login = false;  // people sign in: pages are sent to the provider, the session is a cookie
  bool operator==(const AccessConfig&) const = default;
};

enum class KeyPart : std::uint8_t { client_ip, route, user, service, host, method, header, api_key };
struct RateKeyPart {
  KeyPart part = KeyPart::client_ip;
  std::string header;  // for KeyPart::header, lower case
};
struct RateLimitConfig {
  std::vector<RateKeyPart> key{{}};
  std::uint64_t requests = 0;  // per `window`
  Duration window = 1s;
  std::uint32_t burst = 0;       // 0: as many as one window's rate, at least 1
  std::uint32_t concurrent = 0;  // not 0: a bound on requests in flight instead of a rate
  // When it applies, in local time; minutes since midnight. from == to: always.
  std::uint16_t hours_from = 0, hours_to = 0;
  std::uint8_t days = 0x7f;  // bit 0: Monday
  std::string text;          // as written, for evidence: "100/s"
};

struct HeaderEdit {
  std::vector<std::pair<std::string, std::string>> set;  // lower-case name, value
  std::vector<std::pair<std::string, std::string>> add;
  std::vector<std::string> remove;
};
struct RewriteConfig {
  std::string strip_prefix, add_prefix, path;  // path: replaces it whole
  std::string host;                            // authority sent upstream; empty: the client's
};
struct CorsConfig {
  std::vector<std::string> origins;  // exact, or "*"
  std::vector<std::string> methods, headers, expose;
  bool credentials = false;
  Duration max_age = 0s;
};
struct CompressionConfig {
  bool enabled = true;
  std::vector<std::string> algorithms{"zstd", "br", "gzip"};  // our order of preference
  std::uint32_t min_bytes = 1024;
  std::vector<std::string> types{"text/*",          "application/json", "application/javascript",
                                 "application/xml", "image/svg+xml",    "application/wasm"};
  bool with_credentials = false;  // compress also where cookies or authorization make BREACH possible
};
struct WebSocketConfig {
  bool enabled = false;
  std::uint64_t message_bytes = 1024 * 1024;
  std::uint32_t messages_per_second = 100;  // from the client; 0: no bound
  Duration idle_timeout = 5min;
};
struct MirrorConfig {
  std::uint32_t service = 0;
  double percent = 100;
};
struct SecurityHeadersConfig {
  bool enabled = true;
  std::string hsts = "max-age=31536000; includeSubDomains";  // on TLS only
  std::string frame_options = "DENY";
  std::string content_security_policy = "frame-ancestors 'none'";
  std::string referrer_policy = "strict-origin-when-cross-origin";
};

enum class WafOnExceed : std::uint8_t { deny, partial };
enum class WafSecret : std::uint8_t { cards, keys };
struct WafRuleRange {
  std::uint32_t first = 0, last = 0;  // ids, both included
  bool operator==(const WafRuleRange&) const = default;
};
// What some rules don't look at. Within a key one of its values is enough; all keys that are given must hold.
struct WafExclusion {
  std::vector<WafRuleRange> rules;  // neither rules nor tags: every rule
  std::vector<std::string> tags;
  std::vector<std::string> targets;  // "ARGS:comment", "REQUEST_COOKIES:/^x_/"
  std::vector<std::string>
      parameters;                  // names of arguments, wherever they stand; neither of the two: the rules are off
  std::vector<std::string> paths;  // patterns as in MatchConfig; empty: any
  std::optional<std::chrono::sys_days> until;  // the last day, in UTC, on which it holds
  std::string because;
  bool operator==(const WafExclusion&) const = default;
};
struct WafConfig {
  Mode mode = Mode::enforce;
  std::vector<std::string> rules{"crs"};  // "crs", or globs of SecLang files
  std::uint32_t paranoia = 1;
  std::uint32_t inbound_threshold = 5, outbound_threshold = 4;
  std::uint64_t request_body = 128 * 1024, response_body = 0;  // inspected bytes; 0: not inspected
  std::uint64_t memory = 256 * 1024 * 1024;  // for bodies that wait for the end of their inspection, all together
  WafOnExceed on_exceed = WafOnExceed::deny;
  std::optional<WafOnExceed> response_on_exceed;  // absent: as on_exceed
  std::vector<WafSecret> response_mask;           // made unreadable in answers
  std::uint64_t websocket_message = 0;            // inspected bytes of a client's text message; 0: not inspected
  std::vector<WafExclusion> exclude;
};
struct RouteWafConfig {  // what a route changes; absent: as above
  std::optional<Mode> mode;
  std::optional<std::uint32_t> paranoia, inbound_threshold, outbound_threshold;
  std::optional<std::uint64_t> request_body, response_body;
  std::optional<WafOnExceed> on_exceed, response_on_exceed;
  std::optional<std::vector<WafSecret>> response_mask;
  std::optional<std::uint64_t> websocket_message;
  std::vector<WafExclusion> exclude;  // besides those above
};

enum class UnknownParameters : std::uint8_t { refuse, report };
struct OpenApiConfig {
  std::string document;   // its path
  std::string base_path;  // in front of the document's paths; empty: as its `servers` say
  UnknownParameters unknown_parameters = UnknownParameters::refuse;
  std::shared_ptr<const schema::OpenApiModel> model;  // of the document; shared by the routes that name it
};

struct RouteConfig {
  std::string name;
  MatchConfig match;
  std::vector<WeightedService> services;  // at least one
  std::vector<std::uint32_t> zones;       // empty: the zone of the listener
  bool is_public = false;
  AccessConfig access;
  std::vector<RateLimitConfig> rate_limit;
  RewriteConfig rewrite;
  HeaderEdit request_headers, response_headers;
  std::optional<Duration> timeout;          // of the whole exchange; absent: only the service's
  std::optional<std::uint64_t> body_bytes;  // absent: the listener's
  std::optional<CorsConfig> cors;
  CompressionConfig compression;
  WebSocketConfig websocket;
  std::optional<MirrorConfig> mirror;
  SecurityHeadersConfig security_headers;
  RouteWafConfig waf;
  std::optional<OpenApiConfig> openapi;
  bool allow_encoded_slash = false;
  std::vector<std::pair<telemetry::Layer, Mode>> modes;  // `layers: { rate: monitor }` overrides of this route
};

struct JwtIssuerConfig {
  std::string name, issuer;
  std::vector<std::string> audience;
  std::string jwks;  // https URL or file
  bool own = false;  // of the provider in this process: keys come from there, and only `at+jwt` is an access token
  std::vector<std::string> algorithms{"ES256", "ES384", "EdDSA", "RS256", "PS256"};
  std::string roles_claim = "roles", scopes_claim = "scope", mfa_claim = "amr", user_claim = "sub";
  Duration leeway = 30s, refresh = 10min;
};
struct ApiKeysConfig {
  std::string header = "x-api-key";
  std::string file;
};
struct ClientCertificatesConfig {
  enum class RolesFrom : std::uint8_t { none, san, subject } roles_from = RolesFrom::san;
};
struct InternalTokenConfig {  // the signed JWT that tells services who called
  bool enabled = true;
  std::string header = "x-gatehouse-identity";
  Duration lifetime = 60s;
};
struct AuthenticationConfig {
  std::vector<JwtIssuerConfig> jwt;
  std::optional<ApiKeysConfig> api_keys;
  std::optional<ClientCertificatesConfig> client_certificates;
  InternalTokenConfig internal_token;
  bool forward_credentials = false;  // the client's token or API key goes to the service too
};

// The gateway as a relying party of an OpenID provider, for routes with `access.login`.
struct LoginConfig {
  std::string issuer;  // empty: our own provider
  std::string client_id = "gatehouse";
  SecretBytes client_secret;  // at an outside provider; our own client's secret is made by ourselves
  std::vector<std::string> scopes{"openid"};
  Duration idle = 30min, absolute = 12h;
  Duration refresh = 5min;  // how old what the provider said may become while somebody is at work
  std::string ca;           // a file: what an outside provider's certificate is verified with; empty: the system's
};

struct FailedLoginsConfig {
  std::uint32_t threshold = 5;
  Duration window = 5min, delay = 1s, max_delay = 30s;
  std::vector<int> statuses{401, 403};
};
struct AttacksConfig {
  std::uint32_t threshold = 10;
  Duration window = 1min, ban = 10min, max_ban = 24h;
};
struct PenaltiesConfig {
  std::optional<FailedLoginsConfig> failed_logins = FailedLoginsConfig{};
  std::optional<AttacksConfig> attacks = AttacksConfig{};
  std::uint32_t parked_max = 1024;  // connections held back at once; past it a delayed request is refused
};
struct BansConfig {
  std::vector<Network> deny, allow;
};

struct AdminConfig {
  Address address{"", 0, ""};  // empty: no admin API
  SecretBytes token;           // for a TCP address
  std::string group;           // whose members may use a Unix socket; empty: root and our own user alone
};

struct IdentityConfig {
  std::string issuer;  // "https://login.shop.example", "https://shop.example/login"
  Duration key_rotation = 24h * 30;
  Duration session_idle = 12h, session_absolute = 24h * 14;
  Duration remember_device = 24h * 30;
  std::uint32_t password_min_length = 8;
  std::string password_breached;  // a file; empty: the commonest, built in
  enum class MailTls : std::uint8_t { starttls, tls, off };
  struct Mail {
    std::string server, from, username;  // "mail.example:587", "login@shop.example"
    SecretBytes password;
    MailTls tls = MailTls::starttls;
    std::string ca;
  };
  std::optional<Mail> mail;
  struct Sms {
    std::string webhook;  // https
    SecretBytes secret;
    std::string ca;
  };
  std::optional<Sms> sms;
  struct Theme {
    std::string name, logo, css;  // shown above the forms; files
  };
  Theme theme;
  // Log in through somebody else's OpenID provider.
  struct OutsideProvider {
    std::string id, name;  // "work", as in addresses; "Example Corp", as on the button
    std::string issuer, client_id;
    SecretBytes client_secret;
    std::vector<std::string> scopes{"openid", "profile", "email"};
    std::string ca;             // a file; empty: the system's authorities
    bool create_users = false;  // an account for whoever comes and has none; otherwise they are linked by their owner
  };
  std::vector<OutsideProvider> federation;
  struct Scope {
    std::string name, text;  // "orders:read", "See your orders": what whoever is asked for consent reads
  };
  std::vector<Scope> scopes;
  enum class ClientRegistration : std::uint8_t { off, token, open };
  ClientRegistration client_registration = ClientRegistration::off;  // RFC 7591
  SecretBytes client_registration_token;
  bool dpop_nonces = false;  // RFC 9449 §8: proofs carry a nonce of ours
};

// Where the root key of data at rest comes from; none of them: a file in data_dir, made at the first start.
struct SecretsConfig {
  std::string root_key_file;
  SecretBytes root_key;  // 32 bytes in base64
  SecretBytes passphrase;
};

struct ProcessConfig {
  std::uint32_t shards = 0;  // 0: one per core
  std::string user;          // what to become when started as root; empty: "gatehouse" if it exists, else "nobody"
  Duration drain_timeout = 30s;
  bool sandbox = true;  // seccomp and no_new_privs
};

struct Config {
  std::string file;  // where it came from
  std::uint32_t version = 1;
  std::string trust_domain = "gatehouse.local";
  std::string data_dir = "data";  // absolute once loaded
  ProcessConfig process;
  std::vector<Zone> zones;  // the built-in four first: external, dmz, corporate, hybrid
  std::vector<ListenerConfig> listeners;
  std::vector<ServiceConfig> services;
  std::vector<RouteConfig> routes;
  AuthenticationConfig authentication;
  LoginConfig login;
  std::vector<RateLimitConfig> rate_limit;
  std::string store = "sqlite";  // `state: { store: … }`, or postgresql://…
  SecretBytes store_password;
  std::string counters = "memory";  // `state: { counters: … }`: where limits are counted
  SecretBytes counters_password;
  std::uint32_t rate_entries_max = 1 << 20;  // `state: { rate_entries: … }`
  PenaltiesConfig penalties;
  BansConfig bans;
  std::optional<IdentityConfig> identity;
  SecretsConfig secrets;
  WafConfig waf;
  TelemetryConfig telemetry;
  AuditConfig audit;
  AdminConfig admin;
  std::vector<std::pair<telemetry::Layer, Mode>> modes;  // `layers: { rate: monitor }`; enforce where not named

  Mode mode(telemetry::Layer layer, const RouteConfig* route) const noexcept;
};

}  // namespace gatehouse::gateway
