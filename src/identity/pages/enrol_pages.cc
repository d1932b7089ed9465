#include "identity/pages/enrol_pages.h"

#include <fmt/format.h>

#include "identity/factors/qr_code.h"
#include "identity/pages/account_pages.h"
#include "identity/pages/login_views.h"
#include "identity/pages/sign_in_pages.h"
#include "identity/users/plain_text.h"

namespace gatehouse::identity {
namespace {

using Verdict = LoginAnswer::Verdict;
constexpr std::string_view kInLogin = "/login/enrol", kInAccount = "/account/factors/add";

struct Adding {
  Interaction interaction;
  UserPtr user;
  bool demanded = false;
  std::optional<SignedInUser> who;  // from the account

  std::string_view base() const noexcept { return demanded ? kInLogin : kInAccount; }
};

EnrolWays ways_of(const Visit& visit, const Adding& adding) {
  EnrolWays ways;
  ways.email = visit.options.email_codes && visit.parts.delivery.has_mail();
  ways.sms = visit.options.sms_codes && visit.parts.delivery.has_sms();
  if (adding.demanded && ways.email && adding.user->email_verified) ways = {false, false, true, false};
  return ways;
}

// The address that the code goes to when the password alone was proved.
bool address_is_fixed(const Visit& visit, const Adding& adding) {
  return adding.demanded && !ways_of(visit, adding).totp;
}

std::string path_to(const Adding& adding, std::string_view end) {
  return fmt::format("{}{}?flow={}", adding.base(), end, adding.interaction.id);
}

// An error of Enrolment, as an answer.
WebResponse failed(const Visit& visit, const Adding& adding, const Error& error) {
  if (error.code == ErrorCode::denied && adding.who) return step_up(visit, *adding.who, "/account/factors");
  if (error.code == ErrorCode::denied || error.code == ErrorCode::conflict)
    return visit.notice(400, Message::title_expired, Message::flow_gone_text, "/login", Message::to_login);
  if (error.code == ErrorCode::exhausted)
    return visit.notice(409, Message::title_factors, Message::factors_full, "/account/factors", Message::enrol_back);
  return visit.unavailable();
}

struct Shown {
  const Visit& visit;
  const Adding& adding;
  std::string csrf;
  EnrolView view;

  Shown(const Visit& its_visit, const Adding& its_adding, std::optional<Alert> alert)
      : visit(its_visit), adding(its_adding), csrf(visit.csrf(visit.browser, context_of(adding.interaction))) {
    view.flow = adding.interaction.id;
    view.csrf = csrf;
    view.base = adding.base();
    view.user = adding.user->username;
    view.demanded = adding.demanded;
    view.alert = std::move(alert);
  }
};

WebResponse show_choice(const Visit& visit, const Adding& adding, int status, std::optional<Alert> alert) {
  const Shown shown(visit, adding, std::move(alert));
  return visit.page(status, render_enrol_choice(visit.site, visit.words, shown.view, ways_of(visit, adding)));
}

WebResponse show_totp(const Visit& visit, Adding& adding, int status, std::optional<Alert> alert) {
  auto pending = visit.parts.enrolment.pending_totp(adding.interaction);
  if (!pending) {
    auto begun = visit.parts.enrolment.begin_totp(adding.interaction);
    if (!begun) return failed(visit, adding, begun.error());
    pending = std::move(*begun);
  }
  // A picture too large to be one is left out: the secret is there as text.
  const auto picture = qr_code_svg(pending->uri, visit.words(Message::totp_qr_label));
  const Shown shown(visit, adding, std::move(alert));
  return visit.page(status, render_enrol_totp(visit.site, visit.words, shown.view, pending->secret,
                                              picture ? Html::trusted(*picture) : Html{}));
}

WebResponse show_webauthn(const Visit& visit, Adding& adding, int status, std::optional<Alert> alert) {
  const auto options = visit.parts.enrolment.begin_webauthn(adding.interaction);
  if (!options) return failed(visit, adding, options.error());
  const Shown shown(visit, adding, std::move(alert));
  return visit.page(status, render_enrol_webauthn(visit.site, visit.words, shown.view, *options));
}

WebResponse show_address(const Visit& visit, const Adding& adding, FactorKind kind, int status,
                         std::optional<Alert> alert, std::string_view typed = {}) {
  const Shown shown(visit, adding, std::move(alert));
  const Profile& profile = adding.user->profile;
  const std::string& known = kind == FactorKind::email ? profile.email : profile.phone_number;
  return visit.page(
      status, render_enrol_address(visit.site, visit.words, shown.view, kind,
                                   typed.empty() ? std::string_view(known) : typed, address_is_fixed(visit, adding)));
}

WebResponse show_code(const Visit& visit, const Adding& adding, FactorKind kind, int status,
                      std::optional<Alert> alert) {
  const Shown shown(visit, adding, std::move(alert));
  return visit.page(status,
                    render_enrol_code(visit.site, visit.words, shown.view, kind, adding.interaction.enrol_address));
}

bool code_is_on_its_way(const Adding& adding, FactorKind kind) {
  return adding.interaction.enrol_kind == name_of(kind) && !adding.interaction.enrol_address.empty();
}

WebResponse added(const Visit& visit, const Adding& adding, LoginStep step) {
  if (adding.demanded) {
    WebResponse response = go_on(visit, adding.interaction, step, false);
    response.credentials = WebResponse::Credentials::accepted;
    response.reason = "factor.add";
    return response;
  }
  // It may have been finished by a form that was sent twice: the factor is there all the same.
  (void)visit.parts.interactions.finish(adding.interaction);
  WebResponse response = visit.go("/account/factors?done=factor");
  response.user = adding.user->id;
  response.reason = "factor.add";
  return response;
}

std::string label_of(const Visit& visit) { return as_plain_text(visit.value("label"), 64); }

WebResponse post_totp(const Visit& visit, Adding& adding) {
  const LoginAnswer answer =
      visit.parts.enrolment.confirm_totp(adding.interaction, visit.value("code"), label_of(visit), visit.visitor());
  if (answer.verdict == Verdict::next) return added(visit, adding, answer.step);
  return answer_refused(visit, answer, Message::code_wrong, "code",
                        [&](int status, Alert alert) { return show_totp(visit, adding, status, std::move(alert)); });
}

WebResponse post_webauthn(const Visit& visit, Adding& adding) {
  const LoginAnswer answer = visit.parts.enrolment.confirm_webauthn(adding.interaction, visit.value("credential"),
                                                                    label_of(visit), visit.visitor());
  if (answer.verdict == Verdict::next) return added(visit, adding, answer.step);
  return answer_refused(visit, answer, Message::passkey_not_added, {}, [&](int status, Alert alert) {
    return show_webauthn(visit, adding, status, std::move(alert));
  });
}

WebResponse post_address(const Visit& visit, Adding& adding, FactorKind kind) {
  const std::string typed(address_is_fixed(visit, adding) ? std::string_view(adding.user->profile.email)
                                                          : visit.value("address"));
  const Status sent = visit.parts.enrolment.begin_code(adding.interaction, kind, typed, visit.visitor());
  if (sent) return visit.go(path_to(adding, fmt::format("/{}", name_of(kind))));
  if (sent.error().code == ErrorCode::invalid) {
    const Message text = kind == FactorKind::email ? Message::email_wrong : Message::phone_wrong;
    return show_address(visit, adding, kind, 400, visit.wrong(text, "address"), typed);
  }
  if (sent.error().code == ErrorCode::exhausted)
    return show_address(visit, adding, kind, 429, visit.wrong(Message::factor_not_sent), typed);
  return failed(visit, adding, sent.error());
}

WebResponse post_code(const Visit& visit, Adding& adding, FactorKind kind) {
  const LoginAnswer answer =
      visit.parts.enrolment.confirm_code(adding.interaction, visit.value("code"), visit.visitor());
  if (answer.verdict == Verdict::next) return added(visit, adding, answer.step);
  return answer_refused(visit, answer, Message::code_wrong, "code", [&](int status, Alert alert) {
    return show_code(visit, adding, kind, status, std::move(alert));
  });
}

// From the factors page: a visit of its own for what follows, for whoever is signed in.
WebResponse begin(const Visit& visit, std::string_view end) {
  auto who = require_session(visit, visit.web.path == "/account/passkeys" ? "/account/passkeys" : "/account/factors");
  if (!who) return std::move(who.error());
  if (visit.web.is_post() && !visit.is_ours(visit.session_cookie, kAccountContext)) return visit.form_expired();
  Interaction wanted;
  wanted.return_to = "/account/factors";
  start_from_session(wanted, *who->session);
  auto begun = visit.parts.interactions.begin(std::move(wanted), visit.browser);
  if (!begun) return visit.unavailable();
  WebResponse response = visit.go(fmt::format("{}{}?flow={}", kInAccount, end, begun->interaction.id));
  if (begun->browser != visit.browser)
    response.add("set-cookie", host_cookie(kBrowserCookie, begun->browser, std::nullopt));
  return response;
}

tl::expected<Adding, WebResponse> find_adding(const Visit& visit) {
  auto interaction = find_interaction(visit);
  if (!interaction) return tl::unexpected(std::move(interaction.error()));
  Adding adding;
  adding.interaction = std::move(*interaction);
  adding.demanded = visit.web.path.starts_with(kInLogin);
  if (adding.demanded) {
    const auto step = visit.parts.authentication.step(adding.interaction);
    if (!step) return tl::unexpected(visit.unavailable());
    if (*step != LoginStep::enrol) return tl::unexpected(go_on(visit, adding.interaction, *step, false));
    auto user = visit.parts.accounts.find(adding.interaction.user_id);
    if (!user || !*user) return tl::unexpected(visit.unavailable());
    adding.user = std::move(*user);
    return adding;
  }
  auto who = require_session(visit, "/account/factors");
  if (!who) return tl::unexpected(std::move(who.error()));
  if (who->user->id != adding.interaction.user_id) return tl::unexpected(visit.form_expired());
  adding.user = who->user;
  adding.who = std::move(*who);
  return adding;
}

WebResponse handle_code_kind(const Visit& visit, Adding& adding, FactorKind kind) {
  if (visit.web.is_post()) {
    if (!visit.value("code").empty() && code_is_on_its_way(adding, kind)) return post_code(visit, adding, kind);
    return post_address(visit, adding, kind);
  }
  if (code_is_on_its_way(adding, kind)) return show_code(visit, adding, kind, 200, std::nullopt);
  return show_address(visit, adding, kind, 200, std::nullopt);
}

}  // namespace

std::optional<WebResponse> handle_enrolment(const Visit& visit) {
  const std::string_view path = visit.web.path;
  if (path == "/account/passkeys") return visit.web.reads() ? begin(visit, "/webauthn") : method_not_allowed("GET");
  if (path == kInAccount && visit.web.is_post() && visit.value("flow").empty()) return begin(visit, "");
  if (path == kInAccount && visit.value("flow").empty()) return visit.go("/account/factors");
  const std::string_view base = path.starts_with(kInLogin) ? kInLogin : kInAccount;
  const std::string_view end = path.substr(base.size());
  const auto kind = parse_factor_kind(end.empty() ? visit.value("kind") : end.substr(1));
  if (!end.empty() && (!kind || *kind == FactorKind::recovery)) return std::nullopt;

  auto adding = find_adding(visit);
  if (!adding) return std::move(adding.error());
  const EnrolWays ways = ways_of(visit, *adding);
  if (address_is_fixed(visit, *adding) && kind != FactorKind::email) return visit.go(path_to(*adding, "/email"));
  if (end.empty()) {
    if (!visit.web.is_post() || !kind || *kind == FactorKind::recovery)
      return show_choice(visit, *adding, visit.web.is_post() ? 400 : 200, std::nullopt);
    return visit.go(path_to(*adding, fmt::format("/{}", name_of(*kind))));
  }
  switch (*kind) {
    case FactorKind::totp:
      return visit.web.is_post() ? post_totp(visit, *adding) : show_totp(visit, *adding, 200, std::nullopt);
    case FactorKind::webauthn:
      return visit.web.is_post() ? post_webauthn(visit, *adding) : show_webauthn(visit, *adding, 200, std::nullopt);
    case FactorKind::email:
      if (ways.email) return handle_code_kind(visit, *adding, *kind);
      break;
    case FactorKind::sms:
      if (ways.sms) return handle_code_kind(visit, *adding, *kind);
      break;
    case FactorKind::recovery: break;
  }
  return visit.go(path_to(*adding, ""));
}

}  // namespace gatehouse::identity
