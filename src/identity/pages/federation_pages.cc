#include "identity/pages/federation_pages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "identity/pages/account_pages.h"
#include "identity/pages/account_views.h"
#include "identity/pages/sign_in_pages.h"
#include "identity/users/federation.h"

namespace gatehouse::identity {
namespace {

using Verdict = OutsideAnswer::Verdict;
using Provider = OutsideLogin::Provider;

std::string login_of(const Interaction& interaction) { return fmt::format("/login?flow={}", interaction.id); }

// A page that says what came of it, and leads back to where the visit is.
WebResponse say(const Visit& visit, int status, Message title, Message text, const Provider& provider,
                const Interaction& interaction) {
  const std::string back = interaction.links ? "/account/logins" : login_of(interaction);
  return visit.page(status, render_notice(visit.site, visit.words,
                                          {.title = title,
                                           .text = visit.words(text, {{"provider", provider.name}}),
                                           .path = back,
                                           .link = interaction.links ? Message::to_account : Message::back_to_login,
                                           .request_id = visit.web.request_id}));
}

WebResponse down(const Visit& visit, const Provider& provider, const Interaction& interaction) {
  WebResponse response =
      say(visit, 503, Message::title_outside_down, Message::outside_down_text, provider, interaction);
  response.add("retry-after", "30");
  response.reason = "login.outside_down";
  return response;
}

WebResponse to_provider(const Visit& visit, const Provider& provider, Interaction& interaction) {
  auto url = visit.parts.federation->begin(interaction, provider);
  if (url) return redirect(std::move(*url));
  if (url.error().code == ErrorCode::conflict)
    return visit.notice(400, Message::title_expired, Message::flow_gone_text, "/login", Message::to_login);
  // Of the provider nothing is known yet; the store's own failure says the same.
  return down(visit, provider, interaction);
}

WebResponse start(const Visit& visit, const Provider& provider) {
  auto interaction = find_interaction(visit);
  if (!interaction) return std::move(interaction.error());
  const auto step = visit.parts.authentication.step(*interaction);
  if (!step) return visit.unavailable();
  if (*step != LoginStep::password) return go_on(visit, *interaction, *step, false);
  return to_provider(visit, provider, *interaction);
}

// Back from the provider

WebResponse wait(const Visit& visit, const OutsideAnswer& answer, const Interaction& interaction) {
  WebResponse response =
      visit.page(429, render_notice(visit.site, visit.words,
                                    {.title = Message::title_outside_failed,
                                     .text = visit.wait_text(answer.retry_after),
                                     .path = interaction.links ? "/account/logins" : login_of(interaction),
                                     .link = interaction.links ? Message::to_account : Message::back_to_login}));
  response.add("retry-after", std::to_string(whole_seconds(answer.retry_after)));
  response.reason = "login.wait";
  return response;
}

WebResponse answer_of(const Visit& visit, const Provider& provider, const Interaction& interaction,
                      const OutsideAnswer& answer) {
  switch (answer.verdict) {
    case Verdict::next: {
      WebResponse response = go_on(visit, interaction, answer.step, false);
      response.credentials = WebResponse::Credentials::accepted;
      response.reason = "login.outside";
      return response;
    }
    case Verdict::linked: return visit.go("/account/logins?done=linked");
    case Verdict::taken: return visit.go("/account/logins?problem=taken");
    case Verdict::declined:
      return visit.go(interaction.links ? std::string("/account/logins?problem=declined")
                                        : fmt::format("{}&declined={}", login_of(interaction), provider.id));
    case Verdict::nobody: {
      WebResponse response =
          say(visit, 403, Message::title_outside_nobody, Message::outside_nobody_text, provider, interaction);
      response.reason = "login.outside_nobody";
      return response;
    }
    case Verdict::gone:
      return visit.notice(400, Message::title_expired, Message::flow_gone_text, "/login", Message::to_login);
    case Verdict::wait: return wait(visit, answer, interaction);
    case Verdict::busy: return visit.busy();
    case Verdict::down: return down(visit, provider, interaction);
    case Verdict::unavailable: return visit.unavailable();
    case Verdict::not_proved: break;
  }
  WebResponse response =
      say(visit, 400, Message::title_outside_failed, Message::outside_failed_text, provider, interaction);
  response.credentials = WebResponse::Credentials::failed;
  response.reason = "login.outside";
  return response;
}

WebResponse come_back(const Visit& visit, const Provider& provider) {
  auto interaction = find_interaction(visit, Federation::interaction_of(visit.value("state")));
  if (!interaction) return std::move(interaction.error());
  if (interaction->links) {
    // Whoever asked for the link has to be signed in still: her session is what is extended by it.
    auto who = require_session(visit, "/account/logins");
    if (!who) return std::move(who.error());
    if (who->user->id != interaction->must_be_user) return visit.go("/account/logins");
  }
  const OutsideAnswer answer = visit.parts.federation->finish(
      *interaction, provider, {visit.value("state"), visit.value("code"), visit.value("error"), visit.form.get("iss")},
      visit.visitor());
  return answer_of(visit, provider, *interaction, answer);
}

// The account's page

std::optional<Alert> said(const Visit& visit) {
  if (visit.value("done") == "linked") return visit.good(Message::done_linked);
  if (visit.value("done") == "unlinked") return visit.good(Message::done_unlinked);
  if (visit.value("problem") == "taken") return visit.wrong(Message::logins_taken);
  if (visit.value("problem") == "last") return visit.wrong(Message::logins_last);
  if (visit.value("problem") == "declined") return visit.wrong(Message::logins_declined);
  return std::nullopt;
}

WebResponse show(const Visit& visit, const SignedInUser& who) {
  Federation& federation = *visit.parts.federation;
  const auto list = federation.linked().list(who.user->id);
  if (!list) return visit.unavailable();
  std::vector<LoginRow> rows;
  std::vector<FederationButton> buttons;
  for (const LinkedLogin& login : *list) {
    const auto& all = federation.providers();
    const auto provider = std::ranges::find(all, login.issuer, &Provider::issuer);
    rows.push_back(
        {provider == all.end() ? login.issuer : provider->name, login.issuer, login.subject, login.created_s});
  }
  for (const Provider& provider : federation.providers()) buttons.push_back({provider.id, provider.name});
  const std::string csrf = visit.csrf(visit.session_cookie, kAccountContext);
  return visit.page(200, render_logins(visit.site, visit.words, {*who.user, csrf, said(visit)}, rows, buttons));
}

WebResponse begin_link(const Visit& visit, const SignedInUser& who, const Provider& provider) {
  Interaction wanted;
  wanted.links = true;
  wanted.must_be_user = who.user->id;
  wanted.return_to = "/account/logins";
  auto begun = visit.parts.interactions.begin(std::move(wanted), visit.browser);
  if (!begun) return visit.unavailable();
  WebResponse response = to_provider(visit, provider, begun->interaction);
  if (begun->browser != visit.browser)
    response.add("set-cookie", host_cookie(kBrowserCookie, begun->browser, std::nullopt));
  return response;
}

WebResponse logins(const Visit& visit) {
  auto who = require_session(visit, "/account/logins");
  if (!who) return std::move(who.error());
  if (!visit.web.is_post()) return show(visit, *who);
  if (!visit.is_ours(visit.session_cookie, kAccountContext)) return visit.form_expired();
  // It changes how one signs in.
  const auto fresh = is_fresh(visit, *who);
  if (!fresh) return visit.unavailable();
  if (!*fresh) return step_up(visit, *who, "/account/logins");
  if (const Provider* provider = visit.parts.federation->find(visit.value("link")))
    return begin_link(visit, *who, *provider);
  if (visit.value("unlink").empty()) return visit.go("/account/logins");
  const auto removed =
      visit.parts.federation->unlink(*who->user, visit.value("issuer"), visit.value("subject"), visit.visitor());
  if (removed) return visit.go("/account/logins?done=unlinked");
  return removed.error().code == ErrorCode::denied ? visit.go("/account/logins?problem=last") : visit.unavailable();
}

}  // namespace

std::optional<WebResponse> handle_federation(const Visit& visit) {
  if (visit.web.path == "/account/logins") return logins(visit);
  constexpr std::string_view kPrefix = "/federation/", kCallback = "/callback";
  std::string_view id = visit.web.path;
  if (!id.starts_with(kPrefix)) return std::nullopt;
  id.remove_prefix(kPrefix.size());
  const bool back = id.ends_with(kCallback);
  if (back) id.remove_suffix(kCallback.size());
  const Provider* provider = visit.parts.federation->find(id);
  if (provider == nullptr) return std::nullopt;
  // A HEAD would use up what is good once.
  if (visit.web.method != "GET") return method_not_allowed("GET");
  return back ? come_back(visit, *provider) : start(visit, *provider);
}

}  // namespace gatehouse::identity
