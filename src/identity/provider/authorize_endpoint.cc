#include "identity/provider/authorize_endpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/seconds.h"

namespace gatehouse::identity {
namespace {

using codec::Form;

bool contains(const std::vector<std::string>& list, std::string_view one) noexcept {
  return std::find(list.begin(), list.end(), one) != list.end();
}

}  // namespace

Result<std::vector<std::string>> Consents::find(std::string_view user_id, std::string_view client_id) {
  auto rows = database_.run("SELECT scopes FROM consents WHERE user_id = $1 AND client_id = $2", {user_id, client_id});
  if (!rows) return tl::unexpected(rows.error());
  if (rows->empty()) return std::vector<std::string>{};
  return split_scopes(rows->rows.front()[0].text());
}

Result<std::vector<Consents::Given>> Consents::list(std::string_view user_id) {
  auto rows = database_.run(
      "SELECT client_id, scopes, created_at FROM consents WHERE user_id = $1 ORDER BY updated_at DESC LIMIT 500",
      {user_id});
  if (!rows) return tl::unexpected(rows.error());
  std::vector<Given> given;
  for (const store::Row& row : rows->rows)
    given.push_back({row[0].text(), split_scopes(row[1].text()), row[2].integer()});
  return given;
}

Status Consents::remove(std::string_view user_id, std::string_view client_id) {
  auto rows = database_.run("DELETE FROM consents WHERE user_id = $1 AND client_id = $2", {user_id, client_id});
  if (!rows) return tl::unexpected(rows.error());
  return {};
}

Status Consents::allow(std::string_view user_id, std::string_view client_id, const std::vector<std::string>& scopes,
                       WallTime now) {
  return database_.transact([&](store::Executor& tx) -> Status {
    auto rows = tx.run("SELECT scopes FROM consents WHERE user_id = $1 AND client_id = $2", {user_id, client_id});
    if (!rows) return tl::unexpected(rows.error());
    auto all = rows->empty() ? std::vector<std::string>{} : split_scopes(rows->rows.front()[0].text());
    for (const std::string& scope : scopes) {
      if (!contains(all, scope)) all.push_back(scope);
    }
    auto stored = tx.run(
        "INSERT INTO consents (user_id, client_id, scopes, created_at, updated_at) VALUES ($1, $2, $3, $4, $4) "
        "ON CONFLICT (user_id, client_id) DO UPDATE SET scopes = excluded.scopes, updated_at = excluded.updated_at",
        {user_id, client_id, join_scopes(all), seconds_of(now)});
    if (!stored) return tl::unexpected(stored.error());
    return {};
  });
}

std::vector<std::string> consent_subjects(const AuthorizationRequest& request) {
  std::vector<std::string> subjects = request.scopes;
  for (const std::string& resource : request.resources) subjects.push_back("resource:" + resource);
  return subjects;
}

// Answers

AuthorizeEndpoint::Refused AuthorizeEndpoint::page(const WebRequest& web, int status, const OAuthError& error) const {
  WebResponse response = p_.screens.error(web, status, error.code, error.description);
  response.reason = fmt::format("oauth.{}", error.code);
  return {std::move(response)};
}

WebResponse AuthorizeEndpoint::failed(const WebRequest& web, const Error&) const {
  return page(web, 503, {"temporarily_unavailable", "try again in a moment", 503}).response;
}

WebResponse AuthorizeEndpoint::send(const ReturnAddress& to, codec::FormWriter parameters) const {
  return redirect(answer_location(to, p_.tokens.issuer(), std::move(parameters)));
}

WebResponse AuthorizeEndpoint::back(const ReturnAddress& to, const OAuthError& error) const {
  codec::FormWriter parameters;
  parameters.add("error", error.code);
  if (!error.description.empty()) parameters.add("error_description", error.description);
  WebResponse response = send(to, std::move(parameters));
  response.reason = fmt::format("oauth.{}", error.code);
  return response;
}

WebResponse AuthorizeEndpoint::back(const Visit& visit, const OAuthError& error) const {
  WebResponse response = back(visit.to, error);
  response.client = visit.client->id;
  return response;
}

// Reading

AuthorizeEndpoint::Or<codec::Form> AuthorizeEndpoint::pushed(const WebRequest& web, const Form& outer) {
  const std::string_view uri = outer.get_or("request_uri", "");
  if (!uri.starts_with(PushedRequests::kPrefix)) {
    return tl::unexpected(page(web, 400, {"request_uri_not_supported", "only pushed requests may be referred to"}));
  }
  auto kept = p_.pushed_requests.take(uri, outer.get_or("client_id", ""), web.now);
  if (!kept) return tl::unexpected(Refused{failed(web, kept.error())});
  if (!*kept) {
    return tl::unexpected(page(web, 400, {"invalid_request_uri", "the request was used or has expired: start anew"}));
  }
  auto form = Form::parse(**kept);
  if (!form) return tl::unexpected(page(web, 400, {"invalid_request_uri", "the request cannot be read"}));
  return std::move(*form);
}

AuthorizeEndpoint::Or<AuthorizeEndpoint::Visit> AuthorizeEndpoint::begin(const WebRequest& web) {
  auto form = Form::parse(web.query);
  if (!form) return tl::unexpected(page(web, 400, {"invalid_request", "the request is malformed"}));
  if (const auto flow = form->get("flow")) return resume(web, *flow);
  const bool is_pushed = form->get("request_uri").has_value();
  if (is_pushed) {
    auto inner = pushed(web, *form);
    if (!inner) return tl::unexpected(inner.error());
    form = std::move(*inner);
  }
  auto visit = read(web, std::move(*form), std::nullopt);
  if (visit && !is_pushed && visit->client->settings.require_par) {
    return tl::unexpected(Refused{back(*visit, {"invalid_request", "this client must push its requests (RFC 9126)"})});
  }
  return visit;
}

AuthorizeEndpoint::Or<AuthorizeEndpoint::Visit> AuthorizeEndpoint::resume(const WebRequest& web,
                                                                          std::string_view flow) {
  auto found = p_.interactions.find(flow, host_cookie_of(web, kBrowserCookie).value_or(""));
  if (!found) return tl::unexpected(Refused{failed(web, found.error())});
  auto form = *found ? Form::parse((*found)->request) : std::nullopt;
  if (!form || (*found)->request.empty()) {
    return tl::unexpected(page(web, 400,
                               {"invalid_request",
                                "this sign-in has ended or belongs to another browser: go "
                                "back to the application and start anew"}));
  }
  return read(web, std::move(*form), std::move(**found));
}

AuthorizeEndpoint::Or<AuthorizeEndpoint::Visit> AuthorizeEndpoint::read(const WebRequest& web, Form form,
                                                                        std::optional<Interaction> interaction) {
  form.omit_empty();
  const auto id = form.get("client_id");
  if (!id) return tl::unexpected(page(web, 400, {"invalid_request", "client_id is missing"}));
  auto client = p_.clients.find(*id);
  if (!client) return tl::unexpected(Refused{failed(web, client.error())});
  if (*client == nullptr)
    return tl::unexpected(page(web, 400, {"invalid_client", "there is no such application here"}));
  auto to = read_return_address(form, **client);
  if (!to) return tl::unexpected(page(web, 400, to.error()));
  auto request = read_authorization_request(form, **client);
  if (!request) return tl::unexpected(Refused{back(*to, request.error())});
  SessionPtr session;
  if (const auto token = host_cookie_of(web, kSessionCookie)) {
    auto found = p_.sessions.find(*token);
    if (!found) return tl::unexpected(Refused{failed(web, found.error())});
    session = std::move(*found);
  }
  return Visit{web,
               std::move(form),
               std::move(*client),
               std::move(*to),
               std::move(*request),
               std::move(session),
               std::move(interaction)};
}

// A request that was posted comes without our cookies when another site posted it (SameSite). It is kept, and the
// browser comes again by itself.
WebResponse AuthorizeEndpoint::stored_post(const WebRequest& web) {
  const auto form = read_form_body(web, {"resource"});
  if (!form) return page(web, 400, form.error()).response;
  const std::string_view client_id = form->get_or("client_id", "");
  if (form->get("request_uri")) {
    return redirect(fmt::format(
        "{}/authorize?{}", p_.tokens.issuer(),
        codec::FormWriter().add("client_id", client_id).add("request_uri", form->get_or("request_uri", "")).text()));
  }
  auto client = p_.clients.find(client_id);
  if (!client) return failed(web, client.error());
  if (*client == nullptr) return page(web, 400, {"invalid_client", "there is no such application here"}).response;
  // Written anew: what was posted may hold bytes that have no place in a header.
  codec::FormWriter query;
  for (const auto& [name, value] : form->entries()) query.add(name, value);
  return redirect(fmt::format("{}/authorize?{}", p_.tokens.issuer(), query.text()));
}

// What the user has to do

// Whether the one in the session is the one that the client speaks of.
AuthorizeEndpoint::Or<bool> AuthorizeEndpoint::hint_fits(const Visit& visit) const {
  if (visit.request.id_token_hint.empty()) return true;
  const auto hint = p_.tokens.read_hint(visit.request.id_token_hint);
  if (!hint || hint->client_id != visit.client->id)
    return tl::unexpected(Refused{back(visit, {"invalid_request", "id_token_hint is no ID token of this client"})});
  return visit.session && p_.subjects.subject_of(visit.session->user_id, *visit.client) == hint->subject;
}

// OIDC Core §5.5.1: a subject that the claims parameter demands is that user's or nobody's.
bool AuthorizeEndpoint::names_user(const Visit& visit) const {
  const std::string& subject = visit.request.subject;
  return subject.empty() || (visit.session && p_.subjects.subject_of(visit.session->user_id, *visit.client) == subject);
}

bool AuthorizeEndpoint::must_sign_in(const Visit& visit) const {
  const AuthorizationRequest& request = visit.request;
  if (!visit.session) return true;
  std::int64_t after = 0;
  if (request.max_age_s) after = seconds_of(visit.web.now) - *request.max_age_s;
  if (request.prompt.login || request.prompt.select_account) {
    if (!visit.interaction) return true;
    after = std::max(after, visit.interaction->auth_after_s);
  }
  if (visit.session->auth_s < after) return true;
  return request.wants_mfa && (!visit.session->mfa() || visit.session->factor_s < after);
}

Result<Interaction> AuthorizeEndpoint::keep(Visit& visit, Interaction wanted, WebResponse& response) {
  wanted.return_to = "/authorize?flow={flow}";
  wanted.client_id = visit.client->id;
  wanted.client_name = visit.client->name;
  wanted.locale = visit.request.ui_locales;
  codec::FormWriter form;
  for (const auto& [name, value] : visit.form.entries()) form.add(name, value);
  wanted.request = form.text();
  const std::string_view browser = host_cookie_of(visit.web, kBrowserCookie).value_or("");
  auto begun = p_.interactions.begin(std::move(wanted), browser);
  if (!begun) return tl::unexpected(begun.error());
  if (begun->browser != browser) response.add("set-cookie", host_cookie(kBrowserCookie, begun->browser, std::nullopt));
  return std::move(begun->interaction);
}

WebResponse AuthorizeEndpoint::sign_in(Visit& visit) {
  const AuthorizationRequest& request = visit.request;
  if (request.prompt.none) return back(visit, {"login_required", "the user has to sign in"});
  // Somebody else has just signed in: asking again would go round in circles.
  if (visit.interaction && visit.interaction->signed_in && !names_user(visit))
    return back(visit, {"login_required", "another user has signed in than the one that was asked for"});
  Interaction wanted;
  const bool has_session = visit.session != nullptr;
  const bool anew = request.prompt.login || request.prompt.select_account;
  if (anew) wanted.auth_after_s = seconds_of(visit.web.now);
  // Where a second factor is demanded, its proof is the fresh one; the password need not be typed again for max_age.
  if (!anew && !request.wants_mfa && request.max_age_s)
    wanted.auth_after_s = seconds_of(visit.web.now) - *request.max_age_s;
  wanted.wants_factor = request.wants_mfa;
  wanted.user_hint = request.login_hint;
  // A step-up proves the same user; a new sign-in may be somebody else's (OIDC Core §3.1.2.1).
  if (has_session && !anew && hint_fits(visit).value_or(false) && names_user(visit))
    wanted.must_be_user = visit.session->user_id;
  if (request.wants_mfa && !wanted.must_be_user.empty()) start_from_session(wanted, *visit.session);
  WebResponse response = redirect({});
  auto interaction = keep(visit, std::move(wanted), response);
  if (!interaction) return failed(visit.web, interaction.error());
  response.set("location", fmt::format("{}/login?flow={}", p_.tokens.issuer(), interaction->id));
  response.client = visit.client->id;
  return response;
}

// Which of what is asked for the user has not allowed yet.
Result<std::vector<std::string>> AuthorizeEndpoint::missing_consent(const Visit& visit) {
  std::vector<std::string> missing;
  if (visit.client->settings.first_party) return missing;
  auto wanted = consent_subjects(visit.request);
  if (visit.request.prompt.consent) return wanted;
  auto allowed = consents_.find(visit.session->user_id, visit.client->id);
  if (!allowed) return tl::unexpected(allowed.error());
  for (std::string& subject : wanted) {
    if (!contains(*allowed, subject)) missing.push_back(std::move(subject));
  }
  return missing;
}

WebResponse AuthorizeEndpoint::ask_consent(Visit& visit) {
  if (visit.request.prompt.none) return back(visit, {"consent_required", "the user has to allow it"});
  WebResponse response = redirect({});
  if (!visit.interaction) {
    auto interaction = keep(visit, {}, response);
    if (!interaction) return failed(visit.web, interaction.error());
    visit.interaction = std::move(*interaction);
  }
  response.set("location", fmt::format("{}/consent?flow={}", p_.tokens.issuer(), visit.interaction->id));
  response.client = visit.client->id;
  return response;
}

WebResponse AuthorizeEndpoint::authorize(const WebRequest& web) {
  if (web.is_post()) return stored_post(web);
  if (web.method != "GET") return method_not_allowed("GET, POST");  // HEAD is safe: it gives nobody a code
  auto visit = begin(web);
  if (!visit) return std::move(visit.error().response);
  const auto fits = hint_fits(*visit);
  if (!fits) return fits.error().response;
  if (!*fits || !names_user(*visit) || must_sign_in(*visit)) return sign_in(*visit);
  auto missing = missing_consent(*visit);
  if (!missing) return failed(web, missing.error());
  if (!missing->empty()) return ask_consent(*visit);
  return give_code(*visit);
}

WebResponse AuthorizeEndpoint::consent(const WebRequest& web) {
  if (!web.is_post() && !web.reads()) return method_not_allowed("GET, POST");
  const auto form = Form::parse(web.is_post() ? web.body : web.query);
  const auto flow = form ? form->get("flow") : std::nullopt;
  if (!flow) return page(web, 400, {"invalid_request", "go back to the application and start anew"}).response;
  auto visit = resume(web, *flow);
  if (!visit) return std::move(visit.error().response);
  const auto fits = hint_fits(*visit);
  if (!fits) return fits.error().response;
  if (!*fits || !names_user(*visit) || must_sign_in(*visit)) return sign_in(*visit);
  if (!web.is_post()) return show_consent(*visit, consent_subjects(visit->request));
  if (!is_from_our_page(web, p_.tokens.issuer()) ||
      !p_.form_tokens.matches(form->get_or("csrf", ""), host_cookie_of(web, kBrowserCookie).value_or(""),
                              fmt::format("{} {}", *flow, visit->session->id)))
    return page(web, 403, {"invalid_request", "this form was not ours: go back and try again"}).response;
  const std::string actor = actor_of_user(visit->session->user_id);
  const std::string target = "client:" + visit->client->id;
  const std::string scopes = join_scopes(consent_subjects(visit->request));
  if (form->get("decision") != "allow") {
    p_.audit.record(actor, "consent.deny", target, Outcome::ok, {{"scopes", scopes}}, web.request_id);
    if (auto over = p_.interactions.finish(*visit->interaction); !over) return failed(web, over.error());
    return back(*visit, {"access_denied", "the user has refused"});
  }
  if (auto stored =
          consents_.allow(visit->session->user_id, visit->client->id, consent_subjects(visit->request), web.now);
      !stored) {
    return failed(web, stored.error());
  }
  p_.audit.record(actor, "consent.allow", target, Outcome::ok, {{"scopes", scopes}}, web.request_id);
  return give_code(*visit);
}

WebResponse AuthorizeEndpoint::show_consent(const Visit& visit, const std::vector<std::string>& subjects) {
  const std::string& flow = visit.interaction->id;
  auto user = p_.accounts.find(visit.session->user_id);
  if (!user) return failed(visit.web, user.error());
  if (*user == nullptr) return page(visit.web, 400, {"invalid_request", "this account is gone"}).response;
  const std::string csrf = p_.form_tokens.make(host_cookie_of(visit.web, kBrowserCookie).value_or(""),
                                               fmt::format("{} {}", flow, visit.session->id));
  return p_.screens.consent(visit.web,
                            {*visit.client, (*user)->username, subjects, flow, csrf, visit.request.ui_locales});
}

WebResponse AuthorizeEndpoint::give_code(Visit& visit) {
  const AuthorizationRequest& request = visit.request;
  const Session& session = *visit.session;
  if (visit.interaction) {
    auto first = p_.interactions.finish(*visit.interaction);
    if (!first) return failed(visit.web, first.error());
    if (!*first) return page(visit.web, 400, {"invalid_request", "this sign-in has ended: start anew"}).response;
  }
  Grant grant;
  grant.client_id = visit.client->id;
  grant.user_id = session.user_id;
  grant.session_id = session.id;
  grant.scopes = request.scopes;
  grant.resources = request.resources;
  grant.offline = request.has_scope("offline_access");
  auto begun = p_.grants.begin(std::move(grant), Grants::kLifetime);
  if (!begun) return failed(visit.web, begun.error());
  GrantRequest kept;
  if (visit.to.was_given) kept.redirect_uri = visit.to.redirect_uri;
  kept.code_challenge = request.code_challenge;
  kept.nonce = request.nonce;
  kept.id_token_claims = join_scopes(request.id_token_claims);
  kept.userinfo_claims = join_scopes(request.userinfo_claims);
  kept.authentication = {session.auth_s, session.amr, session.mfa()};
  kept.confirmation.jkt = request.dpop_jkt;
  auto code = p_.grants.issue_code(*begun, kept);
  if (!code) return failed(visit.web, code.error());
  codec::FormWriter parameters;
  parameters.add("code", *code);
  WebResponse response;
  if (visit.to.mode == ResponseMode::form_post) {
    response = p_.screens.form_post(visit.web, visit.to.redirect_uri,
                                    {{"code", *code}, {"state", visit.to.state}, {"iss", p_.tokens.issuer()}});
  } else {
    response = send(visit.to, std::move(parameters));
  }
  response.client = visit.client->id;
  response.user = session.user_id;
  return response;
}

// RFC 9126 §2
WebResponse AuthorizeEndpoint::push(const WebRequest& web) {
  if (!web.is_post()) return method_not_allowed("POST");
  const auto form = read_form_body(web, {"resource"});
  if (!form) return to_response(form.error());
  auto client = p_.authenticator.authenticate(web, *form);
  if (!client) return to_response(client.error());
  if (form->get("request_uri")) return to_response({"invalid_request", "request_uri cannot be pushed"});
  const auto to = read_return_address(*form, **client);
  if (!to) return to_response(to.error());
  const auto request = read_authorization_request(*form, **client);
  if (!request) return to_response(request.error());
  auto bound = p_.proofs.binding(web, "/par", **client);
  if (!bound) return to_response(bound.error());
  if (!bound->jkt.empty() && !request->dpop_jkt.empty() && bound->jkt != request->dpop_jkt)
    return to_response({"invalid_dpop_proof", "dpop_jkt is not the key of the proof"});
  codec::FormWriter kept;
  for (const auto& [name, value] : form->entries()) {
    if (name == "client_secret" || name == "client_assertion" || name == "client_assertion_type" || name == "client_id")
      continue;
    kept.add(name, value);
  }
  kept.add("client_id", (*client)->id);
  if (!bound->jkt.empty() && request->dpop_jkt.empty()) kept.add("dpop_jkt", bound->jkt);
  auto uri = p_.pushed_requests.keep((*client)->id, kept.text(), web.now);
  if (!uri) return to_response(temporarily_unavailable(uri.error()).value());
  return json(201,
              fmt::format(R"({{"request_uri":"{}","expires_in":{}}})", *uri, seconds_of(PushedRequests::kLifetime)));
}

}  // namespace gatehouse::identity
