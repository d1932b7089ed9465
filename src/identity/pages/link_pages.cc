#include "identity/pages/link_pages.h"

#include <fmt/format.h>

#include "crypto/random.h"
#include "identity/pages/account_views.h"
#include "identity/pages/sign_in_pages.h"
#include "identity/token_hash.h"
#include "identity/users/registration.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kContext = "link";  // of these forms' token, with the browser's cookie

// The browser's cookie, made when it has none yet.
struct Browser {
  std::string value;
  bool made = false;

  explicit Browser(const Visit& visit)
      : value(may_be_token(visit.browser) ? std::string(visit.browser) : crypto::random_token()),
        made(value != visit.browser) {}
  WebResponse with_cookie(WebResponse response) const {
    if (made) response.add("set-cookie", host_cookie(kBrowserCookie, value, std::nullopt));
    return response;
  }
};

WebResponse bad_link(const Visit& visit) {
  return visit.notice(400, Message::title_bad_link, Message::bad_link_text, "/login", Message::to_login);
}

// --- A forgotten password: asking for the link ---

WebResponse ask_for_reset(const Visit& visit) {
  if (!visit.parts.delivery.has_mail())
    return visit.notice(200, Message::title_reset, Message::reset_no_mail, "/login", Message::back_to_login);
  const Browser browser(visit);
  const auto show = [&](int status, std::optional<Alert> alert) {
    return browser.with_cookie(visit.page(
        status, render_reset_request(visit.site, visit.words, visit.csrf(browser.value, kContext), {}, alert)));
  };
  if (!visit.web.is_post()) return show(200, std::nullopt);
  if (!visit.is_ours(visit.browser, kContext)) return visit.form_expired();
  const std::string_view username = visit.value("username");
  if (username.empty()) return show(400, visit.wrong(Message::username_missing, "username"));
  if (!visit.parts.registration.request_reset(username, visit.visitor())) return visit.unavailable();
  // In words that hold for both: somebody has that name, or nobody.
  return visit.notice(200, Message::title_reset_sent, Message::reset_sent_text, "/login", Message::back_to_login);
}

// --- Choosing a password ---

struct Purpose {
  std::string_view path;
  TicketKind kind;
  Message title, text, submit;
  std::string_view return_to;
};
constexpr Purpose kReset{"/reset",      TicketKind::reset, Message::title_new_password, Message::new_password_text,
                         Message::save, "/account"};
constexpr Purpose kInvite{
    "/invite",         TicketKind::invite, Message::title_invite, Message::invite_text, Message::invite_submit,
    "/account/factors"};
constexpr Purpose kFirstAdmin{"/first-admin",
                              TicketKind::first_admin,
                              Message::title_first_admin,
                              Message::first_admin_text,
                              Message::first_admin_submit,
                              "/account/factors"};

struct Holder {
  std::string username, email;
};

WebResponse show_new_password(const Visit& visit, const Browser& browser, const Purpose& purpose, const Holder& holder,
                              int status, std::optional<Alert> alert) {
  const std::string csrf = visit.csrf(browser.value, kContext);
  const NewPasswordView view{.path = purpose.path,
                             .ticket = visit.value("ticket"),
                             .csrf = csrf,
                             .username = holder.username,
                             .email = holder.email,
                             .choose_name = purpose.kind == TicketKind::first_admin,
                             .length_min = visit.parts.passwords.options().policy.length_min,
                             .title = purpose.title,
                             .text = purpose.text,
                             .submit = purpose.submit,
                             .alert = std::move(alert)};
  return browser.with_cookie(visit.page(status, render_new_password(visit.site, visit.words, view)));
}

std::string_view device_in(const std::vector<std::string>& set_cookies) noexcept {
  constexpr std::string_view kName = "__Host-gatehouse-device=";
  for (const std::string& cookie : set_cookies) {
    if (!std::string_view(cookie).starts_with(kName)) continue;
    return std::string_view(cookie).substr(kName.size(), cookie.find(';') - kName.size());
  }
  return {};
}

// With the password that was just chosen, by the login's own steps.
WebResponse sign_in(const Visit& visit, const Purpose& purpose, std::string_view username,
                    const std::vector<std::string>& set_cookies) {
  Interaction wanted;
  wanted.return_to = purpose.return_to;
  wanted.user_hint = username;
  auto begun = visit.parts.interactions.begin(std::move(wanted), visit.browser);
  if (!begun) return visit.go("/login");
  Visitor visitor = visit.visitor();
  if (const std::string_view device = device_in(set_cookies); !device.empty()) visitor.device_cookie = device;
  const LoginAnswer answer =
      visit.parts.authentication.password(begun->interaction, username, visit.value("password"), visitor);
  const LoginStep step = answer.verdict == LoginAnswer::Verdict::next ? answer.step : LoginStep::password;
  WebResponse response = go_on(visit, begun->interaction, step, false);
  for (const std::string& cookie : set_cookies) response.add("set-cookie", cookie);
  response.credentials = WebResponse::Credentials::accepted;
  return response;
}

Registration::Answer set_password(const Visit& visit, const Purpose& purpose) {
  Registration& registration = visit.parts.registration;
  const std::string_view ticket = visit.value("ticket"), password = visit.value("password");
  switch (purpose.kind) {
    case TicketKind::reset: return registration.reset_password(ticket, password, visit.visitor());
    case TicketKind::invite: return registration.accept_invitation(ticket, password, visit.visitor());
    default:
      return registration.create_first_admin(ticket, visit.value("username"), visit.value("email"), password,
                                             visit.visitor());
  }
}

WebResponse choose_password(const Visit& visit, const Purpose& purpose) {
  const auto ticket = visit.parts.registration.look(purpose.kind, visit.value("ticket"));
  if (!ticket) return visit.unavailable();
  if (!*ticket) return bad_link(visit);
  Holder holder{std::string(visit.value("username")), std::string(visit.value("email"))};
  if (purpose.kind != TicketKind::first_admin) {
    const auto user = visit.parts.accounts.find((*ticket)->user_id);
    if (!user) return visit.unavailable();
    if (!*user) return bad_link(visit);
    holder = {(*user)->username, {}};
  }
  const Browser browser(visit);
  const auto show = [&](int status, std::optional<Alert> alert) {
    return show_new_password(visit, browser, purpose, holder, status, std::move(alert));
  };
  if (!visit.web.is_post()) return show(200, std::nullopt);
  if (!visit.is_ours(visit.browser, kContext)) return visit.form_expired();
  using Verdict = Registration::Answer::Verdict;
  const Registration::Answer answer = set_password(visit, purpose);
  switch (answer.verdict) {
    case Verdict::done: break;
    case Verdict::bad_link: return bad_link(visit);
    case Verdict::bad_password:
      return show(400, Alert{Alert::Tone::error, password_problem(visit, answer.problem), "password"});
    case Verdict::conflict: return show(409, visit.wrong(Message::username_taken, "username"));
    case Verdict::invalid: return show(400, visit.wrong(Message::username_wrong, "username"));
    case Verdict::busy: return visit.busy();
    case Verdict::unavailable: return visit.unavailable();
  }
  return sign_in(visit, purpose, holder.username, answer.set_cookies);
}

// --- An address to prove ---

WebResponse verify_email(const Visit& visit) {
  const auto ticket = visit.parts.registration.look(TicketKind::verify_email, visit.value("ticket"));
  if (!ticket) return visit.unavailable();
  if (!*ticket) return bad_link(visit);
  const Browser browser(visit);
  if (!visit.web.is_post()) {
    return browser.with_cookie(
        visit.page(200, render_verify_email(visit.site, visit.words, visit.csrf(browser.value, kContext),
                                            visit.value("ticket"), (*ticket)->email)));
  }
  if (!visit.is_ours(visit.browser, kContext)) return visit.form_expired();
  using Verdict = Registration::Answer::Verdict;
  const auto answer = visit.parts.registration.verify_email(visit.value("ticket"), visit.visitor());
  switch (answer.verdict) {
    case Verdict::done:
      return visit.notice(200, Message::title_verified, Message::verified_text, "/account", Message::to_account);
    case Verdict::busy: return visit.busy();
    case Verdict::unavailable: return visit.unavailable();
    default: return bad_link(visit);
  }
}

}  // namespace

std::string password_problem(const Visit& visit, PasswordProblem problem) {
  const PasswordPolicy& policy = visit.parts.passwords.options().policy;
  switch (problem) {
    case PasswordProblem::too_short:
      return visit.words(Message::password_too_short, {{"count", fmt::format("{}", policy.length_min)}});
    case PasswordProblem::too_long:
      return visit.words(Message::password_too_long, {{"count", fmt::format("{}", policy.length_max)}});
    case PasswordProblem::malformed: return std::string(visit.words(Message::password_malformed));
    case PasswordProblem::own_name: return std::string(visit.words(Message::password_own_name));
    case PasswordProblem::breached: return std::string(visit.words(Message::password_breached));
    case PasswordProblem::none: break;
  }
  return std::string(visit.words(Message::field_wrong));
}

std::optional<WebResponse> handle_link(const Visit& visit) {
  const std::string_view path = visit.web.path;
  if (path == "/verify-email") return verify_email(visit);
  if (path == "/invite") return choose_password(visit, kInvite);
  if (path == "/first-admin") return choose_password(visit, kFirstAdmin);
  if (path != "/reset") return std::nullopt;
  return visit.value("ticket").empty() ? ask_for_reset(visit) : choose_password(visit, kReset);
}

}  // namespace gatehouse::identity
