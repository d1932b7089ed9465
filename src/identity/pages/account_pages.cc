#include "identity/pages/account_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "identity/pages/account_views.h"
#include "identity/pages/link_pages.h"
#include "identity/pages/sign_in_pages.h"
#include "identity/provider/authorize_endpoint.h"
#include "identity/provider/clients.h"
#include "identity/provider/grants.h"
#include "identity/seconds.h"
#include "identity/users/plain_text.h"
#include "identity/users/registration.h"

namespace gatehouse::identity {
namespace {

constexpr std::int64_t kFreshSeconds = 600;

// What has just been done, said on the page that a POST leads to.
std::optional<Alert> done(const Visit& visit) {
  struct Said {
    std::string_view name;
    Message text;
  };
  constexpr std::array<Said, 9> kSaid{{{"factor", Message::done_factor},
                                       {"removed", Message::done_removed},
                                       {"renamed", Message::done_renamed},
                                       {"session", Message::done_session},
                                       {"sessions", Message::done_sessions},
                                       {"application", Message::done_application},
                                       {"password", Message::done_password},
                                       {"profile", Message::done_profile},
                                       {"mail", Message::done_mail}}};
  const auto* found = std::ranges::find(kSaid, visit.value("done"), &Said::name);
  return found == kSaid.end() ? std::nullopt : std::optional(visit.good(found->text));
}

struct Desk {
  const Visit& visit;
  const SignedInUser& who;
  std::string csrf;

  Desk(const Visit& its_visit, const SignedInUser& its_who)
      : visit(its_visit), who(its_who), csrf(visit.csrf(visit.session_cookie, kAccountContext)) {}
  AccountView view(std::optional<Alert> alert) const { return {*who.user, csrf, std::move(alert)}; }
  void record(std::string_view action, std::string_view target) const {
    visit.parts.audit.record(actor_of_user(who.user->id), action, target, Outcome::ok, {}, visit.web.request_id);
  }
  Interaction proof() const {
    Interaction interaction;
    start_from_session(interaction, *who.session);
    return interaction;
  }
};

WebResponse overview(const Desk& desk) {
  const Visit& visit = desk.visit;
  const auto sessions = visit.parts.sessions.list(desk.who.user->id);
  const auto factors = visit.parts.factors.of_user(desk.who.user->id);
  const auto applications = Consents(visit.parts.database).list(desk.who.user->id);
  if (!sessions || !factors || !applications) return visit.unavailable();
  const auto real = std::ranges::count_if(*factors, [](const Factor& f) { return f.kind != FactorKind::recovery; });
  return visit.page(200, render_account(visit.site, visit.words, desk.view(done(visit)),
                                        {sessions->size(), static_cast<std::size_t>(real), applications->size()}));
}

WebResponse sessions(const Desk& desk) {
  const Visit& visit = desk.visit;
  const std::string& user = desk.who.user->id;
  if (!visit.web.is_post()) {
    const auto list = visit.parts.sessions.list(user);
    if (!list) return visit.unavailable();
    return visit.page(200,
                      render_sessions(visit.site, visit.words, desk.view(done(visit)), *list, desk.who.session->id));
  }
  if (!visit.value("others").empty()) {
    if (!visit.parts.sessions.end_all(user, desk.who.session->id)) return visit.unavailable();
    desk.record("session.end_others", actor_of_user(user));
    return visit.go("/account/sessions?done=sessions");
  }
  const std::string_view sid = visit.value("session");
  const auto ended = visit.parts.sessions.end(user, sid);
  if (!ended) return visit.unavailable();
  if (*ended) desk.record("session.end", fmt::format("session:{}", sid));
  return visit.go("/account/sessions?done=session");
}

WebResponse applications(const Desk& desk) {
  const Visit& visit = desk.visit;
  const std::string& user = desk.who.user->id;
  Consents consents(visit.parts.database);
  if (visit.web.is_post()) {
    const std::string_view client = visit.value("client");
    if (!consents.remove(user, client) || !visit.parts.grants.revoke_by_client_and_user(client, user))
      return visit.unavailable();
    desk.record("consent.revoke", fmt::format("client:{}", client));
    return visit.go("/account/applications?done=application");
  }
  const auto list = consents.list(user);
  if (!list) return visit.unavailable();
  std::vector<ApplicationRow> rows;
  for (const Consents::Given& given : *list) {
    const auto client = visit.parts.clients.find(given.client_id);
    if (!client) return visit.unavailable();
    ApplicationRow row{given.client_id, given.client_id, {}, given.scopes, given.since_s};
    if (*client) {
      row.name = (*client)->name;
      if (!(*client)->settings.redirect_uris.empty()) row.host = host_of((*client)->settings.redirect_uris.front());
    }
    rows.push_back(std::move(row));
  }
  return visit.page(200, render_applications(visit.site, visit.words, desk.view(done(visit)), rows));
}

WebResponse show_factors(const Desk& desk, int status, std::optional<Alert> alert) {
  const auto factors = desk.visit.parts.factors.of_user(desk.who.user->id);
  if (!factors) return desk.visit.unavailable();
  return desk.visit.page(status,
                         render_factors(desk.visit.site, desk.visit.words, desk.view(std::move(alert)), *factors));
}

WebResponse remove_factor(const Desk& desk) {
  const Visit& visit = desk.visit;
  const Status removed = visit.parts.enrolment.remove(desk.proof(), visit.value("factor"), false, visit.visitor());
  if (removed || removed.error().code == ErrorCode::not_found) return visit.go("/account/factors?done=removed");
  if (removed.error().code == ErrorCode::denied) return step_up(visit, desk.who, "/account/factors");
  return visit.unavailable();
}

WebResponse recovery_codes(const Desk& desk) {
  const Visit& visit = desk.visit;
  const auto codes = visit.parts.enrolment.new_recovery_codes(desk.proof(), visit.visitor());
  if (codes) {
    return visit.page(
        200, render_recovery_codes(visit.site, visit.words, desk.who.user->username, *codes, "/account/factors"));
  }
  if (codes.error().code == ErrorCode::denied) return step_up(visit, desk.who, "/account/factors");
  return visit.unavailable();
}

WebResponse rename_factor(const Desk& desk) {
  const Visit& visit = desk.visit;
  const auto factors = visit.parts.factors.of_user(desk.who.user->id);
  if (!factors) return visit.unavailable();
  const auto factor = std::ranges::find(*factors, visit.value("factor"), &Factor::id);
  if (factor == factors->end()) return visit.go("/account/factors");
  if (!visit.web.is_post())
    return visit.page(200, render_rename(visit.site, visit.words, desk.view(std::nullopt), *factor));
  const std::string label = as_plain_text(visit.value("label"), 64);
  if (label.find_first_not_of(' ') == std::string::npos) {
    return visit.page(
        400, render_rename(visit.site, visit.words, desk.view(visit.wrong(Message::label_missing, "label")), *factor));
  }
  if (!visit.parts.factors.rename(desk.who.user->id, factor->id, label)) return visit.unavailable();
  return visit.go("/account/factors?done=renamed");
}

WebResponse password(const Desk& desk) {
  const Visit& visit = desk.visit;
  const auto fresh = is_fresh(visit, desk.who);
  if (!fresh) return visit.unavailable();
  if (!*fresh) return step_up(visit, desk.who, "/account/password");
  const std::size_t length_min = visit.parts.passwords.options().policy.length_min;
  const auto show = [&](int status, std::optional<Alert> alert) {
    return visit.page(status, render_password(visit.site, visit.words, desk.view(std::move(alert)), length_min));
  };
  if (!visit.web.is_post()) return show(200, done(visit));
  using Verdict = Registration::Answer::Verdict;
  const auto answer = visit.parts.registration.change_password(desk.who.user->id, visit.value("password"),
                                                               desk.who.session->id, visit.visitor());
  switch (answer.verdict) {
    case Verdict::done: break;
    case Verdict::bad_password:
      return show(400, Alert{Alert::Tone::error, password_problem(visit, answer.problem), "password"});
    case Verdict::busy: return visit.busy();
    default: return visit.unavailable();
  }
  WebResponse response = visit.go("/account/password?done=password");
  for (const std::string& cookie : answer.set_cookies) response.add("set-cookie", cookie);
  return response;
}

WebResponse show_profile(const Desk& desk, int status, std::optional<Alert> alert, const Profile& profile) {
  return desk.visit.page(status,
                         render_profile(desk.visit.site, desk.visit.words, desk.view(std::move(alert)), profile));
}

WebResponse change_email(const Desk& desk) {
  const Visit& visit = desk.visit;
  const auto email = normal_email(visit.value("email"));
  if (!email) {
    Profile typed = desk.who.user->profile;
    typed.email = visit.value("email");
    return show_profile(desk, 400, visit.wrong(Message::email_wrong, "email"), typed);
  }
  // Where mail goes is a way back into the account.
  const auto fresh = is_fresh(visit, desk.who);
  if (!fresh) return visit.unavailable();
  if (!*fresh) return step_up(visit, desk.who, "/account/profile");
  if (!visit.parts.delivery.has_mail())
    return show_profile(desk, 409, visit.wrong(Message::mail_missing, "email"), desk.who.user->profile);
  const Status sent = visit.parts.registration.send_verification(desk.who.user->id, *email);
  // Somebody else's address gets the same answer: nobody learns here whose it is.
  if (!sent && sent.error().code == ErrorCode::unavailable) return visit.unavailable();
  return visit.go("/account/profile?done=mail");
}

WebResponse profile(const Desk& desk) {
  const Visit& visit = desk.visit;
  const Profile& known = desk.who.user->profile;
  if (!visit.web.is_post()) return show_profile(desk, 200, done(visit), known);
  if (visit.value("save") == "email") return change_email(desk);
  Profile wanted = known;
  wanted.name = visit.value("name");
  wanted.given_name = visit.value("given_name");
  wanted.family_name = visit.value("family_name");
  wanted.phone_number = visit.value("phone_number");
  wanted.locale = visit.value("locale");
  const Profile typed = wanted;
  if (const Status checked = check_profile(wanted); !checked) {
    const std::string_view message = checked.error().message;
    constexpr std::array<std::string_view, 5> kFields{"name", "given_name", "family_name", "phone_number", "locale"};
    const auto* field = std::ranges::find(kFields, message.substr(0, message.find(':')));
    return show_profile(desk, 400,
                        visit.wrong(Message::field_wrong, field == kFields.end() ? std::string_view{} : *field), typed);
  }
  if (wanted.phone_number != known.phone_number) wanted.phone_number_verified = false;
  const Status stored = visit.parts.accounts.set_profile(desk.who.user->id, std::move(wanted));
  if (!stored && stored.error().code == ErrorCode::invalid)
    return show_profile(desk, 400, visit.wrong(Message::field_wrong), typed);
  if (!stored) return visit.unavailable();
  desk.record("user.profile", actor_of_user(desk.who.user->id));
  return visit.go("/account/profile?done=profile");
}

}  // namespace

tl::expected<SignedInUser, WebResponse> require_session(const Visit& visit, std::string_view return_to) {
  auto session = visit.parts.sessions.find(visit.session_cookie);
  if (!session) return tl::unexpected(visit.unavailable());
  if (*session) {
    auto user = visit.parts.accounts.find((*session)->user_id);
    if (!user) return tl::unexpected(visit.unavailable());
    if (*user && (*user)->active()) return SignedInUser{std::move(*session), std::move(*user)};
  }
  Interaction wanted;
  wanted.return_to = return_to;
  wanted.locale = visit.value("ui_locales");
  return tl::unexpected(begin_login(visit, std::move(wanted)));
}

Result<bool> is_fresh(const Visit& visit, const SignedInUser& who) {
  if (seconds_of(visit.web.now) - who.session->auth_s > kFreshSeconds) return false;
  if (who.session->mfa()) return true;
  const auto factors = visit.parts.factors.of_user(who.user->id);
  if (!factors) return tl::unexpected(factors.error());
  return factors->empty();
}

WebResponse step_up(const Visit& visit, const SignedInUser& who, std::string_view return_to) {
  const auto factors = visit.parts.factors.of_user(who.user->id);
  if (!factors) return visit.unavailable();
  Interaction wanted;
  wanted.return_to = return_to;
  wanted.auth_after_s = seconds_of(visit.web.now);
  wanted.must_be_user = who.user->id;
  // A device that is remembered stands in for the factor at the login, not for a change of factors.
  wanted.wants_factor =
      std::ranges::any_of(*factors, [](const Factor& factor) { return factor.kind != FactorKind::recovery; });
  return begin_login(visit, std::move(wanted));
}

std::optional<WebResponse> handle_account(const Visit& visit) {
  struct Page {
    std::string_view path;
    WebResponse (*handle)(const Desk&);
    bool reads, writes;
    std::string_view return_to;
  };
  static constexpr std::array<Page, 9> kPages{{
      {"/account", overview, true, false, "/account"},
      {"/account/sessions", sessions, true, true, "/account/sessions"},
      {"/account/applications", applications, true, true, "/account/applications"},
      {"/account/factors", [](const Desk& desk) { return show_factors(desk, 200, done(desk.visit)); }, true, false,
       "/account/factors"},
      {"/account/factors/remove", remove_factor, false, true, "/account/factors"},
      {"/account/factors/rename", rename_factor, true, true, "/account/factors"},
      {"/account/factors/recovery", recovery_codes, false, true, "/account/factors"},
      {"/account/password", password, true, true, "/account/password"},
      {"/account/profile", profile, true, true, "/account/profile"},
  }};
  const auto* page = std::ranges::find(kPages, visit.web.path, &Page::path);
  if (page == kPages.end()) return std::nullopt;
  if (visit.web.is_post() ? !page->writes : !page->reads)
    return page->reads ? method_not_allowed("GET, HEAD") : visit.go(page->return_to);
  auto who = require_session(visit, page->return_to);
  if (!who) return std::move(who.error());
  if (visit.web.is_post() && !visit.is_ours(visit.session_cookie, kAccountContext)) return visit.form_expired();
  WebResponse response = page->handle(Desk(visit, *who));
  response.user = who->user->id;
  return response;
}

}  // namespace gatehouse::identity
