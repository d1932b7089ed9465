#include "identity/provider/logout_endpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

std::string csrf_context(const Session& session) { return "logout " + session.id; }

}  // namespace

// Where to go afterwards: only to a registered URI of a client that is named (RP-Initiated Logout §3). Empty: nowhere.
OAuthResult<std::string> LogoutEndpoint::onward(const codec::Form& form, const std::optional<Tokens::Hint>& hint) {
  const auto client_id = form.get("client_id");
  if (hint && client_id && *client_id != hint->client_id)
    return oauth_error("invalid_request", "client_id is not the one of id_token_hint");
  const auto uri = form.get("post_logout_redirect_uri");
  if (!uri) return std::string();
  const std::string_view id = hint ? std::string_view(hint->client_id) : client_id.value_or("");
  auto client = p_.clients.find(id);
  if (!client) return temporarily_unavailable(client.error());
  const auto& registered = *client ? (*client)->settings.post_logout_redirect_uris : std::vector<std::string>{};
  if (std::none_of(registered.begin(), registered.end(),
                   [&](const std::string& known) { return redirect_uri_matches(known, *uri); })) {
    return oauth_error("invalid_request", "post_logout_redirect_uri is not one that this application has registered");
  }
  std::string location(*uri);
  if (const auto state = form.get("state")) {
    location += location.find('?') == std::string::npos ? '?' : '&';
    location += codec::FormWriter().add("state", *state).text();
  }
  return location;
}

bool LogoutEndpoint::is_of_session(const Tokens::Hint& hint, const Session& session) {
  if (!hint.session_id.empty()) return hint.session_id == session.id;
  const auto client = p_.clients.find(hint.client_id);
  return client && *client != nullptr && p_.subjects.subject_of(session.user_id, **client) == hint.subject;
}

WebResponse LogoutEndpoint::end(const WebRequest& web, const Session& session, const std::string& onward) {
  auto ended = p_.sessions.end_by_id(session.id);
  if (!ended) return p_.screens.error(web, 503, "temporarily_unavailable", "try again in a moment");
  p_.audit.record(actor_of_user(session.user_id), "session.logout", "session:" + session.id, Outcome::ok, {},
                  web.request_id);
  WebResponse response = onward.empty() ? p_.screens.signed_out(web) : redirect(onward);
  response.add("set-cookie", expired_cookie(kSessionCookie));
  return response;
}

WebResponse LogoutEndpoint::handle(const WebRequest& web) {
  if (!web.is_post() && !web.reads()) return method_not_allowed("GET, POST");
  const auto form = codec::Form::parse(web.is_post() ? web.body : web.query);
  if (!form || form->repeated()) return p_.screens.error(web, 400, "invalid_request", "the request is malformed");
  std::optional<Tokens::Hint> hint;
  if (const auto text = form->get("id_token_hint")) {
    hint = p_.tokens.read_hint(*text);
    if (!hint) return p_.screens.error(web, 400, "invalid_request", "id_token_hint is no ID token of ours");
  }
  const auto location = onward(*form, hint);
  if (!location)
    return p_.screens.error(web, location.error().status, location.error().code, location.error().description);
  SessionPtr session;
  if (const auto token = host_cookie_of(web, kSessionCookie)) {
    auto found = p_.sessions.find(*token);
    if (!found) return p_.screens.error(web, 503, "temporarily_unavailable", "try again in a moment");
    session = std::move(*found);
  }
  if (!session) {
    WebResponse response = location->empty() ? p_.screens.signed_out(web) : redirect(*location);
    response.add("set-cookie", expired_cookie(kSessionCookie));
    return response;
  }
  // Who knows an ID token of this very session may end it. Anybody else could be a picture on a strange page: ask.
  const bool confirmed =
      web.is_post() && is_from_our_page(web, p_.tokens.issuer()) &&
      p_.form_tokens.matches(form->get_or("csrf", ""), host_cookie_of(web, kBrowserCookie).value_or(""),
                             csrf_context(*session));
  if (confirmed || (hint && is_of_session(*hint, *session))) return end(web, *session, *location);
  auto user = p_.accounts.find(session->user_id);
  const std::string csrf =
      p_.form_tokens.make(host_cookie_of(web, kBrowserCookie).value_or(""), csrf_context(*session));
  return p_.screens.confirm_logout(web, {user && *user ? (*user)->username : std::string(), csrf, form->entries()});
}

Status BackchannelLogout::tick() {
  const std::lock_guard lock(mutex_);
  if (!last_) {
    auto newest = p_.database.run("SELECT COALESCE(MAX(number), 0) FROM revocations");
    if (!newest) return tl::unexpected(newest.error());
    last_ = newest->rows.front()[0].integer();
    return {};
  }
  auto ended = p_.database.run(
      "SELECT number, id, expires_at FROM revocations WHERE number > $1 AND kind = 'session' ORDER BY number LIMIT 500",
      {*last_});
  if (!ended) return tl::unexpected(ended.error());
  for (const store::Row& row : ended->rows) {
    auto mine = p_.used.use("backchannel logout " + row[1].text(), time_of(row[2].integer()));
    if (!mine) return tl::unexpected(mine.error());
    if (*mine) {
      if (auto told = tell_clients_of(row[1].text()); !told) return told;
    }
    last_ = row[0].integer();
  }
  return {};
}

Status BackchannelLogout::tell_clients_of(const std::string& session_id) {
  auto rows = p_.database.run("SELECT DISTINCT client_id, user_id FROM grants WHERE session_id = $1", {session_id});
  if (!rows) return tl::unexpected(rows.error());
  for (const store::Row& row : rows->rows) {
    auto client = p_.clients.find(row[0].text());
    if (!client) return tl::unexpected(client.error());
    if (*client == nullptr || (*client)->settings.backchannel_logout_uri.empty()) continue;
    const std::string subject = p_.subjects.subject_of(row[1].text(), **client);
    auto token = p_.tokens.logout_token(subject, (*client)->id, session_id, (*client)->settings.id_token_algorithm);
    if (!token) return tl::unexpected(token.error());
    send_((*client)->settings.backchannel_logout_uri, *token);
  }
  return {};
}

}  // namespace gatehouse::identity
