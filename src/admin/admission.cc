// Who may call the admin API, and how a browser becomes somebody who may (admin_api.h).

#include <unistd.h>

#include <algorithm>

#include "admin/admin_api.h"
#include "admin/calls.h"
#include "admin/dashboard/static_pages.h"
#include "admin/identity/identity_api.h"
#include "admin/members.h"
#include "crypto/digest.h"
#include "telemetry/log.h"

namespace gatehouse::admin {
namespace {

constexpr std::string_view kSessionPath = "/v1/session";

// "Application/JSON; charset=utf-8" is JSON, too.
bool is_json(std::string_view content_type) noexcept {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t')) type.remove_suffix(1);
  return http::equals_ignoring_case(type, "application/json");
}

// The host of an authority: without its port, an IPv6 address without brackets.
std::string_view host_of(std::string_view authority) noexcept {
  if (authority.starts_with('[')) {
    const std::size_t close = authority.find(']');
    return close == std::string_view::npos ? std::string_view() : authority.substr(1, close - 1);
  }
  return authority.substr(0, authority.find(':'));
}

// A cookie with this prefix cannot be set by another host, and not without TLS.
std::string_view cookie_name(const Call& call) noexcept {
  return call.connection->tls ? "__Host-gatehouse-admin" : "gatehouse-admin";
}

std::string set_cookie(const Call& call, std::string_view value, std::string_view more = {}) {
  return fmt::format("{}={}; Path=/; HttpOnly; SameSite=Strict{}{}", cookie_name(call), value,
                     call.connection->tls ? "; Secure" : "", more);
}

// Empty when there is none, or more than one: a second one was put there by somebody else.
std::string_view cookie_of(const Call& call) noexcept {
  std::string_view rest = call.cookie, found;
  const std::string_view name = cookie_name(call);
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    while (pair.starts_with(' ')) pair.remove_prefix(1);
    if (pair.size() <= name.size() || !pair.starts_with(name) || pair[name.size()] != '=') continue;
    if (!found.empty()) return {};
    found = pair.substr(name.size() + 1);
  }
  return found;
}

bool changes_something(const Call& call) noexcept { return call.method != "GET" && call.method != "HEAD"; }

// What a call takes. Who users are and where they are signed in is nothing for whoever only looks at traffic.
Role needed(const Call& call) noexcept {
  if (call.path == kSessionPath) return Role::viewer;
  if (IdentityApi::serves(call.path)) return changes_something(call) ? Role::administrator : Role::operate;
  if (call.path == "/v1/events") return Role::operate;  // acts of people are among them
  if (!changes_something(call)) return Role::viewer;
  return call.path.starts_with("/v1/bans") ? Role::operate : Role::administrator;
}

std::string session_json(const Caller& caller) {
  std::string out;
  codec::JsonWriter json(out);
  {
    Members members(json);
    members.boolean("signed_in", caller.role != Role::none);
    if (caller.role != Role::none) {
      members.text("name", caller.name);
      members.text("role", name_of(caller.role));
      if (caller.expires) members.time("expires_at", *caller.expires);
    }
  }
  json.flush();
  return out;
}

}  // namespace

Caller AdminApi::caller_of(const Call& call) {
  if (call.connection->unix_socket) {
    const auto& peer = call.connection->credentials;
    if (!peer) return {};
    const bool member =
        options_.group && std::find(peer->groups.begin(), peer->groups.end(), *options_.group) != peer->groups.end();
    if (peer->uid != 0 && peer->uid != options_.own_uid.value_or(geteuid()) && !member) return {};
    return {Role::administrator, fmt::format("uid={}", peer->uid)};
  }
  constexpr std::string_view kBearer = "bearer ";
  const std::string_view authorization = call.authorization;
  if (!authorization.empty()) {  // it alone counts: who sends both means the one that has to be written down
    const bool good = !options_.token.empty() && authorization.size() > kBearer.size() &&
                      http::equals_ignoring_case(authorization.substr(0, kBearer.size()), kBearer) &&
                      crypto::equal_in_constant_time(authorization.substr(kBearer.size()), options_.token.expose());
    return good ? Caller{Role::administrator, "token"} : Caller{};
  }
  const std::string_view cookie = cookie_of(call);
  return cookie.empty() ? Caller{} : sessions_.find(cookie);
}

// A browser says where a request comes from. Ports of one host are one site to it, and a cookie goes to all of them:
// that a page is of this very origin is for us to see to.
bool AdminApi::comes_from_here(const Call& call, Answer& refusal) const {
  const bool browser = !call.origin.empty() || !call.sec_fetch_site.empty();
  const std::string_view host = host_of(call.host);
  if ((browser || !call.connection->unix_socket) && host != "localhost" && !IpAddress::parse(host)) {
    refusal = problem(421, "The Host must be an IP address or localhost.");
    return false;
  }
  if (!call.origin.empty() && call.origin != "http://" + call.host && call.origin != "https://" + call.host) {
    refusal = problem(403, "Pages of another origin have no business here.");
    return false;
  }
  const bool here =
      call.sec_fetch_site.empty() || call.sec_fetch_site == "same-origin" || call.sec_fetch_site == "none";
  if (!here && !is_dashboard_path(call.path)) {  // a link to the dashboard itself may be anywhere
    refusal = problem(403, "Pages of another origin have no business here.");
    return false;
  }
  return true;
}

bool AdminApi::admits(const Call& call, Answer& refusal) {
  if (!comes_from_here(call, refusal)) return false;
  if (call.path == "/healthz" || call.path == "/readyz" || is_dashboard_path(call.path)) return true;
  const Caller caller = caller_of(call);
  const bool open = call.path == kSessionPath && call.method != "DELETE";
  if (!open && caller.role == Role::none) {
    GH_LOG(warn, "admin: caller refused", {"peer", call.connection->peer.to_string()}, {"path", call.path},
           {"uid", call.connection->credentials ? static_cast<std::int64_t>(call.connection->credentials->uid) : -1});
    refusal =
        problem(401, call.connection->unix_socket ? "Only root, the gateway's own user and the admin group may call."
                                                  : "A bearer token is needed.");
    refusal.challenge = "Bearer realm=\"gatehouse\"";
    return false;
  }
  const bool browser = caller.by_cookie || !call.origin.empty() || !call.sec_fetch_site.empty();
  if (browser && changes_something(call) && call.ui_request.empty()) {
    refusal = problem(403, "A browser's request that changes something needs the field x-gatehouse-ui.");
    return false;
  }
  if (!open && caller.role < needed(call)) {
    GH_LOG(warn, "admin: role refused", {"caller", caller.name}, {"role", name_of(caller.role)}, {"path", call.path});
    refusal = problem(403, fmt::format("This takes the role {}.", name_of(needed(call))));
    return false;
  }
  const bool identity = IdentityApi::serves(call.path);
  // What orders without saying more: a rotation, a new secret.
  const bool says_nothing = identity && !call.has_body && call.content_type.empty();
  if ((call.method == "POST" || (call.method == "PATCH" && identity)) && !says_nothing && !is_json(call.content_type)) {
    refusal = problem(415, "The body must be application/json.");
    return false;
  }
  return true;
}

void AdminApi::use_token(SecretBytes token) {
  if (!crypto::equal_in_constant_time(token.expose(), options_.token.expose())) sessions_.end_all();
  options_.token = std::move(token);
}

Answer AdminApi::session(const Call& call) { return json_answer(session_json(caller_of(call))); }

Answer AdminApi::sign_in(const Call& call) {
  const auto body = object_in(call);
  if (!body) return problem(400, "The body must be a JSON object.");
  if (const auto unknown = unknown_member(*body, {"token", "code"})) return problem(400, *unknown);
  const auto token = body->find_string("token"), code = body->find_string("code");
  if (token.has_value() == code.has_value()) return problem(400, "Give either 'token' or 'code'.");
  Caller caller;
  if (code) {
    caller = sessions_.redeem(*code);
  } else if (!options_.token.empty() && crypto::equal_in_constant_time(*token, options_.token.expose())) {
    caller = {Role::administrator, "token"};
  }
  if (caller.role == Role::none) {
    GH_LOG(warn, "admin: sign-in refused", {"peer", call.connection->peer.to_string()},
           {"by", code ? "code" : "token"});
    Answer answer = problem(401, code ? "This link was used already, or it is too old." : "This is not the token.");
    answer.challenge = "Bearer realm=\"gatehouse\"";
    return answer;
  }
  const std::string value = sessions_.begin(caller.role, caller.name);
  GH_LOG(info, "admin: signed in", {"peer", call.connection->peer.to_string()}, {"caller", caller.name},
         {"role", name_of(caller.role)}, {"by", code ? "code" : "token"});
  Answer answer = json_answer(session_json(sessions_.find(value)));
  answer.fields = {{"set-cookie", set_cookie(call, value)}};
  return answer;
}

Answer AdminApi::sign_out(const Call& call) {
  const std::string_view cookie = cookie_of(call);
  sessions_.end(cookie);
  Answer answer = json_answer("{}");
  answer.fields = {{"set-cookie", set_cookie(call, "", "; Max-Age=0")}};
  return answer;
}

Answer AdminApi::make_code(const Call& call) {
  const auto body = object_in(call);
  if (!body) return problem(400, "The body must be a JSON object.");
  if (const auto unknown = unknown_member(*body, {"role"})) return problem(400, *unknown);
  const std::string role_name(body->find_string("role").value_or("administrator"));
  Role role = Role::none;
  for (const Role one : {Role::viewer, Role::operate, Role::administrator}) {
    if (name_of(one) == role_name) role = one;
  }
  if (role == Role::none) return problem(400, "'role' must be viewer, operator or administrator.");
  const Caller caller = caller_of(call);
  const std::string code = sessions_.make_code(role, caller.name);
  GH_LOG(info, "admin: sign-in code made", {"caller", caller.name}, {"role", role_name});
  std::string out;
  codec::JsonWriter json(out);
  {
    Members members(json);
    members.text("code", code);
    members.text("role", role_name);
    members.time("expires_at", sessions_.code_ends());
  }
  json.flush();
  return json_answer(std::move(out), 201);
}

}  // namespace gatehouse::admin
