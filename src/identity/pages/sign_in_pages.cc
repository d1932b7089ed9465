#include "identity/pages/sign_in_pages.h"

#include <fmt/format.h>

#include <algorithm>

#include "identity/pages/login_views.h"
#include "identity/seconds.h"
#include "identity/users/federation.h"

namespace gatehouse::identity {
namespace {

using Verdict = LoginAnswer::Verdict;

std::string with_flow(std::string_view path, const Interaction& interaction) {
  return fmt::format("{}?flow={}", path, interaction.id);
}

// Pages of a visit speak the language that its request asked for.
Words words_of(const Visit& visit, const Interaction& interaction) {
  return Words(choose_language(interaction.locale, visit.web.accept_language));
}

WebResponse show_login(const Visit& visit, Interaction& interaction, int status, std::optional<Alert> alert,
                       std::string_view typed = {}) {
  LoginView view;
  std::string known_name;
  if (!interaction.must_be_user.empty()) {
    const auto user = visit.parts.accounts.find(interaction.must_be_user);
    if (!user) return visit.unavailable();
    if (*user) known_name = (*user)->username;
    view.same_user = !known_name.empty();
  }
  const auto passkeys = visit.parts.authentication.webauthn_options(interaction);
  const std::string csrf = visit.csrf(visit.browser, context_of(interaction));
  view.flow = interaction.id;
  view.csrf = csrf;
  view.username = view.same_user   ? std::string_view(known_name)
                  : !typed.empty() ? typed
                                   : std::string_view(interaction.user_hint);
  view.client_name = interaction.client_name;
  view.can_reset = visit.parts.delivery.has_mail();
  if (passkeys) view.passkey_options = *passkeys;
  std::vector<FederationButton> buttons;
  if (visit.parts.federation != nullptr) {
    for (const auto& provider : visit.parts.federation->providers()) buttons.push_back({provider.id, provider.name});
  }
  view.federation = &buttons;
  view.alert = std::move(alert);
  return visit.page(status, render_login(visit.site, words_of(visit, interaction), view));
}

// An outside provider that was asked said no.
std::optional<Alert> declined(const Visit& visit) {
  const auto* provider =
      visit.parts.federation == nullptr ? nullptr : visit.parts.federation->find(visit.value("declined"));
  if (provider == nullptr) return std::nullopt;
  return Alert{Alert::Tone::error, visit.words(Message::outside_declined, {{"provider", provider->name}}), {}};
}

WebResponse get_login(const Visit& visit) {
  if (visit.value("flow").empty()) {
    const auto session = visit.parts.sessions.find(visit.session_cookie);
    if (!session) return visit.unavailable();
    if (*session) return visit.go("/account");
    Interaction wanted;
    wanted.return_to = "/account";
    wanted.locale = visit.value("ui_locales");
    return begin_login(visit, std::move(wanted));
  }
  auto interaction = find_interaction(visit);
  if (!interaction) return std::move(interaction.error());
  const auto step = visit.parts.authentication.step(*interaction);
  if (!step) return visit.unavailable();
  if (*step == LoginStep::password) return show_login(visit, *interaction, 200, declined(visit));
  return go_on(visit, *interaction, *step, false);
}

WebResponse passed(WebResponse response, std::string_view reason) {
  response.credentials = WebResponse::Credentials::accepted;
  response.reason = reason;
  return response;
}

WebResponse post_password(const Visit& visit, Interaction& interaction) {
  const std::string_view typed = visit.value("username");
  const auto show = [&](int status, Alert alert) {
    return show_login(visit, interaction, status, std::move(alert), typed);
  };
  if (typed.empty() || visit.value("password").empty())
    return show(400, visit.wrong(Message::login_incomplete, typed.empty() ? "username" : "password"));
  const LoginAnswer answer =
      visit.parts.authentication.password(interaction, typed, visit.value("password"), visit.visitor());
  if (answer.verdict == Verdict::next) return passed(go_on(visit, interaction, answer.step, false), "login.password");
  return answer_refused(visit, answer, Message::login_wrong, "username", show);
}

WebResponse post_passkey(const Visit& visit, Interaction& interaction) {
  const LoginAnswer answer =
      visit.parts.authentication.webauthn(interaction, visit.value("credential"), visit.visitor());
  if (answer.verdict == Verdict::next) return passed(go_on(visit, interaction, answer.step, false), "login.passkey");
  return answer_refused(visit, answer, Message::passkey_wrong, {}, [&](int status, Alert alert) {
    return show_login(visit, interaction, status, std::move(alert));
  });
}

// Who is not the one that the password named: the visit begins anew, for the same purpose.
WebResponse restart(const Visit& visit, Interaction& interaction) {
  interaction.user_id.clear();
  interaction.amr.clear();
  interaction.password_at_s = interaction.factor_at_s = interaction.challenge_at_s = 0;
  interaction.device_skips_factor = false;
  for (std::string* text :
       {&interaction.challenge, &interaction.challenge_purpose, &interaction.code_factor, &interaction.code_state,
        &interaction.enrol_kind, &interaction.enrol_secret, &interaction.enrol_address, &interaction.user_hint,
        &interaction.outside, &interaction.outside_state}) {
    text->clear();
  }
  if (auto updated = visit.parts.interactions.update(interaction);
      !updated && updated.error().code != ErrorCode::conflict) {
    return visit.unavailable();
  }
  return visit.go(with_flow("/login", interaction));
}

// --- The second factor ---

// The code was sent to this choice, and is still good for a try.
bool is_sent(const Interaction& interaction, const FactorChoice& choice) {
  return interaction.code_factor == choice.id && !interaction.code_state.empty();
}

WebResponse show_factor(const Visit& visit, Interaction& interaction, std::string_view wanted, int status,
                        std::optional<Alert> alert) {
  const auto choices = visit.parts.authentication.choices(interaction);
  if (!choices) return visit.unavailable();
  if (choices->empty())
    return visit.notice(409, Message::title_no_factor, Message::no_factor_text, "/login", Message::to_login);
  const auto user = visit.parts.accounts.find(interaction.user_id);
  if (!user) return visit.unavailable();
  auto chosen = std::ranges::find(*choices, wanted, &FactorChoice::id);
  if (chosen == choices->end())
    chosen = std::ranges::find_if(*choices, [&](const auto& choice) { return is_sent(interaction, choice); });
  if (chosen == choices->end()) chosen = choices->begin();
  std::string passkey_options;
  if (chosen->kind == FactorKind::webauthn) {
    auto options = visit.parts.authentication.webauthn_options(interaction);
    if (!options) return visit.unavailable();
    passkey_options = std::move(*options);
  }
  const std::string csrf = visit.csrf(visit.browser, context_of(interaction));
  FactorView view{.flow = interaction.id,
                  .csrf = csrf,
                  .username = *user ? std::string_view((*user)->username) : std::string_view{},
                  .client_name = interaction.client_name,
                  .step_up = !interaction.must_be_user.empty(),
                  .choices = *choices,
                  .chosen = chosen->id,
                  .sent = is_sent(interaction, *chosen),
                  .passkey_options = passkey_options,
                  .remember_days = static_cast<int>(visit.parts.devices.remember() / std::chrono::hours(24)),
                  .alert = std::move(alert)};
  return visit.page(status, render_factor(visit.site, words_of(visit, interaction), view));
}

WebResponse get_factor(const Visit& visit, Interaction& interaction) {
  const auto step = visit.parts.authentication.step(interaction);
  if (!step) return visit.unavailable();
  if (*step != LoginStep::factor) return go_on(visit, interaction, *step, false);
  return show_factor(visit, interaction, visit.value("factor"), 200, std::nullopt);
}

WebResponse send_code(const Visit& visit, Interaction& interaction) {
  const std::string_view factor = visit.value("factor");
  const LoginAnswer answer = visit.parts.authentication.send_code(interaction, factor, visit.visitor());
  if (answer.verdict == Verdict::next)
    return visit.go(
        fmt::format("{}&factor={}", with_flow("/login/factor", interaction), codec::percent_encode(factor)));
  WebResponse response = answer_refused(visit, answer, Message::factor_not_sent, {}, [&](int status, Alert alert) {
    return show_factor(visit, interaction, factor, status, std::move(alert));
  });
  response.credentials = WebResponse::Credentials::none;  // nothing was guessed
  return response;
}

WebResponse post_factor(const Visit& visit, Interaction& interaction, bool passkey) {
  const std::string_view factor = visit.value("factor");
  const auto show = [&](int status, Alert alert) {
    return show_factor(visit, interaction, factor, status, std::move(alert));
  };
  if (!passkey && visit.value("code").empty()) return show(400, visit.wrong(Message::code_missing, "code"));
  const LoginAnswer answer =
      passkey ? visit.parts.authentication.webauthn(interaction, visit.value("credential"), visit.visitor())
              : visit.parts.authentication.code(interaction, factor, visit.value("code"), visit.visitor());
  if (answer.verdict == Verdict::next)
    return passed(go_on(visit, interaction, answer.step, !visit.value("remember").empty()), "login.factor");
  return passkey ? answer_refused(visit, answer, Message::passkey_wrong, {}, show)
                 : answer_refused(visit, answer, Message::code_wrong, "code", show);
}

// The provider's request goes on in a visit of its own: the one of the login is over and cannot be finished twice.
Result<std::string> onward(const Visit& visit, const Interaction& interaction, std::string return_to) {
  constexpr std::string_view kFlow = "{flow}";
  const std::size_t place = return_to.find(kFlow);
  if (place == std::string::npos) return return_to;
  Interaction next;
  next.return_to = interaction.return_to;
  next.request = interaction.request;
  next.client_id = interaction.client_id;
  next.client_name = interaction.client_name;
  next.wants_factor = interaction.wants_factor;
  next.auth_after_s = interaction.auth_after_s;
  next.user_hint = interaction.user_hint;
  next.locale = interaction.locale;
  auto begun = visit.parts.interactions.begin(std::move(next), visit.browser);
  if (!begun) return tl::unexpected(std::move(begun.error()));
  return return_to.replace(place, kFlow.size(), begun->interaction.id);
}

WebResponse finish(const Visit& visit, const Interaction& interaction, bool remember) {
  auto signed_in = visit.parts.authentication.finish(interaction, remember, visit.visitor());
  if (!signed_in) {
    if (signed_in.error().code == ErrorCode::unavailable) return visit.unavailable();
    return visit.notice(400, Message::title_expired, Message::flow_gone_text, "/account", Message::to_account);
  }
  auto target = onward(visit, interaction, signed_in->return_to);
  if (!target) return visit.unavailable();
  WebResponse response = visit.go(*target);
  for (const std::string& cookie : signed_in->set_cookies) response.add("set-cookie", cookie);
  response.user = signed_in->session.session.user_id;
  return response;
}

}  // namespace

std::string context_of(const Interaction& interaction) { return "flow " + interaction.id; }

tl::expected<Interaction, WebResponse> find_interaction(const Visit& visit) {
  return find_interaction(visit, visit.value("flow"));
}

tl::expected<Interaction, WebResponse> find_interaction(const Visit& visit, std::string_view id) {
  auto found = visit.parts.interactions.find(id, visit.browser);
  if (!found) return tl::unexpected(visit.unavailable());
  if (!*found) {
    return tl::unexpected(
        visit.notice(400, Message::title_expired, Message::flow_gone_text, "/login", Message::to_login));
  }
  if (visit.web.is_post() && !visit.is_ours(visit.browser, context_of(**found)))
    return tl::unexpected(visit.form_expired());
  return std::move(**found);
}

WebResponse begin_login(const Visit& visit, Interaction wanted) {
  auto begun = visit.parts.interactions.begin(std::move(wanted), visit.browser);
  if (!begun) return visit.unavailable();
  WebResponse response = visit.go(with_flow("/login", begun->interaction));
  if (begun->browser != visit.browser)
    response.add("set-cookie", host_cookie(kBrowserCookie, begun->browser, std::nullopt));
  return response;
}

WebResponse go_on(const Visit& visit, const Interaction& interaction, LoginStep step, bool remember) {
  switch (step) {
    case LoginStep::password: return visit.go(with_flow("/login", interaction));
    case LoginStep::factor: return visit.go(with_flow("/login/factor", interaction));
    case LoginStep::enrol: return visit.go(with_flow("/login/enrol", interaction));
    case LoginStep::done: break;
  }
  return finish(visit, interaction, remember);
}

std::optional<WebResponse> handle_sign_in(const Visit& visit) {
  const std::string_view path = visit.web.path;
  if (path == "/login" && !visit.web.is_post()) return get_login(visit);
  const bool known = path == "/login" || path == "/login/factor" ||
                     (visit.web.is_post() && (path == "/login/passkey" || path == "/login/factor/passkey" ||
                                              path == "/login/factor/send" || path == "/login/restart"));
  if (!known) return std::nullopt;
  auto interaction = find_interaction(visit);
  if (!interaction) return std::move(interaction.error());
  if (!visit.web.is_post()) return get_factor(visit, *interaction);
  if (path == "/login") return post_password(visit, *interaction);
  if (path == "/login/passkey") return post_passkey(visit, *interaction);
  if (path == "/login/restart") return restart(visit, *interaction);
  // A form that was sent twice, or after the step was taken in another window: go where the visit is now.
  const auto step = visit.parts.authentication.step(*interaction);
  if (!step) return visit.unavailable();
  if (*step != LoginStep::factor) return go_on(visit, *interaction, *step, false);
  if (path == "/login/factor/send") return send_code(visit, *interaction);
  return post_factor(visit, *interaction, path == "/login/factor/passkey");
}

}  // namespace gatehouse::identity
