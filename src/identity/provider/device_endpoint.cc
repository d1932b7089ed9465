#include "identity/provider/device_endpoint.h"

#include <fmt/format.h>

#include "codec/json_writer.h"
#include "identity/provider/authorization_request.h"
#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

std::string csrf_context(const Session& session) { return "device " + session.id; }

}  // namespace

WebResponse DeviceEndpoint::failed(const WebRequest& web) const {
  return p_.screens.error(web, 503, "temporarily_unavailable", "try again in a moment");
}

// RFC 8628 §3.1
WebResponse DeviceEndpoint::start(const WebRequest& request) {
  if (!request.is_post()) return method_not_allowed("POST");
  const auto form = read_form_body(request, {"resource"});
  if (!form) return to_response(form.error());
  auto client = p_.authenticator.authenticate(request, *form);
  if (!client) return to_response(client.error());
  if (!(*client)->may(GrantType::device_code))
    return to_response({"unauthorized_client", "this client may not use the device flow"});
  DeviceRequest wanted;
  wanted.client_id = (*client)->id;
  for (std::string& scope : split_scopes(form->get_or("scope", ""))) {
    if (!is_scope(scope)) return to_response({"invalid_scope", "a scope has characters that it cannot have"});
    if ((*client)->may_ask_for(scope)) wanted.scopes.push_back(std::move(scope));
  }
  if (wanted.scopes.empty() && !form->get_or("scope", "").empty())
    return to_response({"invalid_scope", "this client may ask for none of these scopes"});
  for (const std::string_view resource : form->all("resource")) {
    if (!is_resource(resource) || !(*client)->may_reach(resource))
      return to_response({"invalid_target", "this client may not ask for this resource"});
    wanted.resources.emplace_back(resource);
  }
  auto started = p_.devices.start(wanted);
  if (!started) return to_response(temporarily_unavailable(started.error()).value());
  const std::string page = p_.tokens.issuer() + "/device";
  return json(200, fmt::format(R"({{"device_code":"{}","user_code":"{}","verification_uri":"{}",)"
                               R"("verification_uri_complete":"{}?user_code={}","expires_in":{},"interval":{}}})",
                               started->device_code, started->user_code, page, page, started->user_code,
                               started->expires_in_s, started->interval_s));
}

bool DeviceEndpoint::may_guess(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const auto found = wrong_.find(session_id);
  return found == wrong_.end() || found->second.until <= p_.clock.now() || found->second.count < kWrongMax;
}

void DeviceEndpoint::guessed_wrong(const std::string& session_id) {
  const std::lock_guard lock(mutex_);
  const MonotonicTime now = p_.clock.now();
  if (wrong_.size() >= kSessionsMax)
    std::erase_if(wrong_, [&](const auto& entry) { return entry.second.until <= now; });
  if (wrong_.size() >= kSessionsMax) wrong_.erase(wrong_.begin());
  Wrong& wrong = wrong_[session_id];
  if (wrong.until <= now) wrong = {0, now + kWindow};
  ++wrong.count;
}

WebResponse DeviceEndpoint::sign_in(const WebRequest& web, std::string_view user_code, bool wants_factor,
                                    SessionPtr session) {
  Interaction wanted;
  wanted.return_to = "/device";
  if (!user_code.empty()) wanted.return_to += '?' + codec::FormWriter().add("user_code", user_code).text();
  wanted.wants_factor = wants_factor;
  if (session) wanted.must_be_user = session->user_id;
  const std::string_view browser = host_cookie_of(web, kBrowserCookie).value_or("");
  auto begun = p_.interactions.begin(std::move(wanted), browser);
  if (!begun) return failed(web);
  WebResponse response = redirect(fmt::format("{}/login?flow={}", p_.tokens.issuer(), begun->interaction.id));
  if (begun->browser != browser) response.add("set-cookie", host_cookie(kBrowserCookie, begun->browser, std::nullopt));
  return response;
}

WebResponse DeviceEndpoint::page(const WebRequest& web) {
  if (!web.is_post() && !web.reads()) return method_not_allowed("GET, POST");
  const auto form = codec::Form::parse(web.is_post() ? web.body : web.query);
  if (!form) return p_.screens.error(web, 400, "invalid_request", "the request is malformed");
  const std::string_view code = form->get_or("user_code", "");
  SessionPtr session;
  if (const auto token = host_cookie_of(web, kSessionCookie)) {
    auto found = p_.sessions.find(*token);
    if (!found) return failed(web);
    session = std::move(*found);
  }
  if (!session) return sign_in(web, code, false, nullptr);
  auto user = p_.accounts.find(session->user_id);
  if (!user || *user == nullptr) return failed(web);
  return web.is_post() ? decide(web, *form, *session, **user) : ask(web, code, *session, **user);
}

// A code in the link is shown and still has to be confirmed: somebody else may have sent the link (RFC 8628 §3.3.1).
WebResponse DeviceEndpoint::ask(const WebRequest& web, std::string_view code, const Session& session,
                                const User& user) {
  const std::string csrf = p_.form_tokens.make(host_cookie_of(web, kBrowserCookie).value_or(""), csrf_context(session));
  DeviceScreen screen{DeviceScreen::State::ask_code, code, nullptr, nullptr, user.username, csrf};
  if (host_cookie_of(web, kBrowserCookie).value_or("").empty()) return sign_in(web, code, false, nullptr);
  if (code.empty()) return p_.screens.device(web, screen);
  if (!may_guess(session.id)) {
    WebResponse response = p_.screens.error(web, 429, "slow_down", "too many wrong codes: wait some minutes");
    response.add("retry-after", "600");
    return response;
  }
  auto wanted = p_.devices.find(code);
  if (!wanted) return failed(web);
  auto client = *wanted ? p_.clients.find((*wanted)->client_id) : Result<std::shared_ptr<const Client>>(nullptr);
  if (!client) return failed(web);
  if (*client == nullptr) {
    guessed_wrong(session.id);
    screen.state = DeviceScreen::State::wrong_code;
    return p_.screens.device(web, screen);
  }
  std::vector<std::string> scopes = (*wanted)->scopes;
  for (const std::string& resource : (*wanted)->resources) scopes.push_back("resource:" + resource);
  screen.state = DeviceScreen::State::confirm;
  screen.client = client->get();
  screen.scopes = &scopes;
  return p_.screens.device(web, screen);
}

WebResponse DeviceEndpoint::decide(const WebRequest& web, const codec::Form& form, const Session& session,
                                   const User& user) {
  if (!is_from_our_page(web, p_.tokens.issuer()) ||
      !p_.form_tokens.matches(form.get_or("csrf", ""), host_cookie_of(web, kBrowserCookie).value_or(""),
                              csrf_context(session)))
    return p_.screens.error(web, 403, "invalid_request", "this form was not ours: go back and try again");
  const std::string_view code = form.get_or("user_code", "");
  const auto decision = form.get("decision");
  if (!decision || !may_guess(session.id)) return ask(web, code, session, user);
  auto wanted = p_.devices.find(code);
  if (!wanted) return failed(web);
  if (!*wanted) return ask(web, code, session, user);
  auto client = p_.clients.find((*wanted)->client_id);
  if (!client) return failed(web);
  if (*client == nullptr) return ask(web, code, session, user);
  if (*decision == "allow") return allow(web, code, **wanted, **client, session);
  if (auto denied = p_.devices.deny(code); !denied) return failed(web);
  p_.audit.record(actor_of_user(session.user_id), "device.deny", "client:" + (*client)->id, Outcome::ok, {},
                  web.request_id);
  return p_.screens.device(web, {DeviceScreen::State::denied, code, client->get(), nullptr, user.username, {}});
}

WebResponse DeviceEndpoint::allow(const WebRequest& web, std::string_view code, const DeviceRequest& wanted,
                                  const Client& client, const Session& session) {
  if (client.settings.mfa && !session.mfa()) return sign_in(web, code, true, std::make_shared<Session>(session));
  Grant grant;
  grant.client_id = client.id;
  grant.user_id = session.user_id;
  grant.scopes = wanted.scopes;
  grant.resources = wanted.resources;
  grant.offline = true;  // the device goes on when this browser is closed
  auto begun = p_.grants.begin(std::move(grant), Grants::kLifetime);
  if (!begun) return failed(web);
  GrantRequest request;
  request.authentication = {session.auth_s, session.amr, session.mfa()};
  auto allowed = p_.devices.allow(code, *begun, request);
  if (!allowed) return failed(web);
  if (!*allowed) return p_.screens.error(web, 400, "expired_token", "this code is not good any more");
  p_.audit.record(actor_of_user(session.user_id), "device.allow", "client:" + client.id, Outcome::ok,
                  {{"scopes", join_scopes(wanted.scopes)}}, web.request_id);
  return p_.screens.device(web, {DeviceScreen::State::allowed, code, &client, nullptr, {}, {}});
}

}  // namespace gatehouse::identity
