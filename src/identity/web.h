#pragma once
// Requests to identity's endpoints and pages, and what they answer: values, no sockets. The app binds them to a route
// of the gateway, whose layers (limits, rates, WAF, penalties) have passed the request before it comes here.
//
// Lifetime: a WebRequest is views; they live until the handler returns.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip.h"

namespace gatehouse::identity {

struct WebRequest {
  std::string_view method;  // "GET", "HEAD", "POST", …
  std::string_view path;    // below the issuer's path: "/token"
  std::string_view query;   // without `?`
  std::string_view body;
  // fields; empty when absent
  std::string_view content_type, authorization, cookie, accept, accept_language, origin, user_agent, sec_fetch_site,
      dpop;
  std::uint32_t dpop_count = 0;  // how often the field came (RFC 9449 §4.3: once)
  IpAddress client_ip;
  std::string_view certificate_sha256;             // of the verified client certificate, hexadecimal; empty without
  std::string_view certificate_subject;            // RFC 4514
  std::vector<std::string_view> certificate_sans;  // "dns:a.example"
  std::string_view request_id;
  WallTime now{};

  bool is_post() const noexcept { return method == "POST"; }
  bool reads() const noexcept { return method == "GET" || method == "HEAD"; }
};

struct WebResponse {
  int status = 200;
  std::string body;
  // Names in lower case. `content-type` included; `content-length` never.
  std::vector<std::pair<std::string, std::string>> fields;
  // What the decision record and the gateway's penalties learn. `failed`: someone gave credentials that were wrong.
  enum class Credentials : std::uint8_t { none, failed, accepted } credentials = Credentials::none;
  std::string user;    // who asked, once it is proved
  std::string client;  // the OAuth client, likewise
  std::string reason;  // a stable code for the record: "oauth.invalid_grant", "login.password"; empty: nothing to say

  void set(std::string_view name, std::string_view value);  // replaces
  void add(std::string_view name, std::string_view value);  // set-cookie
};

WebResponse redirect(std::string location);      // 303 (RFC 9700 §4.12), no-store
WebResponse json(int status, std::string body);  // no-store
WebResponse html(int status, std::string body);  // no-store, with the strict CSP of our pages
WebResponse method_not_allowed(std::string_view allow);

// Does a form come from a page of the issuer's own origin? What browsers say of it is believed first (Fetch Metadata),
// Origin next. Where there is neither, or an Origin of "null", which our pages' `no-referrer` brings about in some old
// ones, the form's token alone has to decide.
bool is_from_our_page(const WebRequest& request, std::string_view issuer) noexcept;

// The value of a cookie; nullopt when it isn't there or comes more than once (RFC 6265bis §5.7: which one is ours?).
std::optional<std::string_view> cookie(std::string_view cookies, std::string_view name) noexcept;
// That of `__Host-NAME`, as host_cookie writes it.
std::optional<std::string_view> host_cookie_of(const WebRequest& request, std::string_view name) noexcept;
// `__Host-name=value; Path=/; Secure; HttpOnly; SameSite=Lax`, until the browser closes when `age` is nullopt.
std::string host_cookie(std::string_view name, std::string_view value, std::optional<Duration> age);
std::string expired_cookie(std::string_view name);

}  // namespace gatehouse::identity
