#pragma once
// What every layer sees of one request: its canonical form, where it came from, which route it takes, and who asks.
// One owner: the exchange. Lives on one shard; views point into `arena`.

#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/clock.h"
#include "base/ip.h"
#include "gateway/config.h"
#include "http/canonical.h"
#include "http/stream.h"
#include "telemetry/decision_record.h"

namespace gatehouse::gateway {

enum class AuthMethod : std::uint8_t { none, jwt, api_key, client_certificate, session };
std::string_view name_of(AuthMethod method) noexcept;  // "api_key"

// What a layer remembers of one request between its calls; defined by that layer, kept in the arena.
struct RateNote;
struct PenaltyNote;
struct SchemaNote;

// Who asks, as far as it has been proved.
struct Principal {
  AuthMethod method = AuthMethod::none;
  std::string_view user;    // subject
  std::string_view issuer;  // configured name of the issuer
  std::string_view key_id;  // of an API key: which one, never the key
  std::span<std::string_view> roles, scopes, audiences;
  bool mfa = false;
  WallTime authenticated_at{};  // auth_time, or the token's iat; zero when unknown
  WallTime expires{};           // of the credential; zero when it has no end
  // SHA-256 over all of the above: two principals with one fingerprint are one. Empty when nobody is known.
  std::string_view fingerprint;
};

// What the service that is this process said about credentials in the request. unknown: another service answered, and
// its status has to tell.
enum class LoginFact : std::uint8_t { unknown, none, failed, accepted };

struct Request {
  Request(Arena& memory, telemetry::DecisionRecord& decisions) noexcept : arena(memory), record(decisions) {}

  Arena& arena;
  telemetry::DecisionRecord& record;
  http::CanonicalRequest message;
  const http::ConnectionInfo* connection = nullptr;
  const Config* config = nullptr;
  const ListenerConfig* listener = nullptr;
  const RouteConfig* route = nullptr;  // null: nothing matches
  std::uint32_t route_index = 0;
  bool has_body = false;   // more than the head was sent, or is still to come
  IpAddress client_ip;     // after PROXY protocol and X-Forwarded-For of trusted peers
  std::uint32_t zone = 0;  // index into config->zones
  Principal principal;
  LoginFact login = LoginFact::unknown;
  std::string_view login_user;  // whom they proved
  MonotonicTime now;
  WallTime wall;
  RateNote* rate_note = nullptr;
  std::string_view set_cookie;  // what authentication keeps in the browser, in the arena; empty: nothing
  PenaltyNote* penalty_note = nullptr;
  SchemaNote* schema_note = nullptr;
};

}  // namespace gatehouse::gateway
