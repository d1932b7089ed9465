#pragma once
// What the gateway keeps in people's browsers, sealed: the session, and each login that has been begun.
//
// Format: a version byte, then fields in the order of the struct; a number is 8 bytes, big-endian; a string or list has
// its size in 2 bytes in front. Sealed for one host: a cookie of another host of the same gateway does not open.
// Both are `__Host-` cookies (RFC 6265bis §4.1.3.2): no other host and no page without TLS can have set them.
// Thread safety: pure functions.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "gateway/layers/authentication/principal_record.h"
#include "http/message.h"

namespace gatehouse::gateway {

inline constexpr std::string_view kOwnCookies = "__Host-gatehouse-";  // how all cookies of ours begin
inline constexpr std::string_view kSessionCookie = "__Host-gatehouse-session";
inline constexpr std::string_view kLoginCookie = "__Host-gatehouse-login-";  // and the attempt's place
inline constexpr char kLoginPlaces = 8;                                      // as many tabs may be signing in at once
inline constexpr std::size_t kCookieMax = 3800;  // bytes; browsers keep 4096 with the name and attributes

struct LoginSession {
  std::string id;  // ours, random
  std::string user, sid, acr;
  std::vector<std::string> roles, scopes;
  bool mfa = false;
  WallTime authenticated{}, begun{};
  WallTime said{};            // when the provider last said so
  WallTime sealed{};          // when this cookie was made: what idle time counts from
  std::string refresh_token;  // empty: there is none
};

struct LoginAttempt {
  std::string state, nonce, verifier;
  std::string return_to;  // path and query on the same host
  bool needs_mfa = false;
  WallTime expires{};
};

std::string encode(const LoginSession& session);
std::optional<LoginSession> decode_session(std::string_view bytes);
std::string encode(const LoginAttempt& attempt);
std::optional<LoginAttempt> decode_attempt(std::string_view bytes);

PrincipalFacts facts_of(const LoginSession& session, WallTime expires);

// The value of a cookie that came exactly once; which of several is ours nobody can tell.
std::optional<std::string_view> single_cookie(const http::Fields& fields, std::string_view name) noexcept;
// Without those of ours, as a service may see them; nullopt: there are none of ours.
std::optional<std::string> without_own_cookies(std::string_view cookies);
std::string host_cookie(std::string_view name, std::string_view value, std::optional<std::chrono::seconds> age);

}  // namespace gatehouse::gateway
