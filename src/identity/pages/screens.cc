#include "identity/pages/screens.h"

#include "codec/form.h"
#include "identity/pages/account_views.h"

namespace gatehouse::identity {
namespace {

Words words_of(const WebRequest& request, std::string_view ui_locales = {}) {
  std::string asked(ui_locales);
  if (asked.empty()) {
    if (const auto form = codec::Form::parse(request.query)) asked = form->get_or("ui_locales", "");
  }
  return Words(choose_language(asked, request.accept_language));
}

// Where answers go: the host of the redirect URI. A private-use scheme has none.
std::string_view host_of_client(const Client& client) noexcept {
  if (client.settings.redirect_uris.empty()) return {};
  return host_of(client.settings.redirect_uris.front());
}

Html decision_buttons(const Words& words, Message allow) {
  return Html{button(words, allow, ButtonLook::primary, "decision", "allow"),
              button(words, Message::consent_deny, ButtonLook::secondary, "decision", "deny")};
}

Html outward(const Words& words, Message label, std::string_view url) {
  const std::string_view good = web_url(url);
  return good.empty() ? Html{} : Html{"<a rel=\"noreferrer\" href=\"", good, "\">", words(label), "</a>\n"};
}

Html who_asks(const Words& words, const Client& client, std::string_view user) {
  Html out{"<p class=\"client\">", words.emphasised(Message::consent_asks, {{"client", client.name}}), "</p>\n"};
  if (const std::string_view host = host_of_client(client); !host.empty())
    out.add({"<p class=\"muted\">", words(Message::consent_host, {{"host", host}}), "</p>\n"});
  return out.add({"<p class=\"muted\">", words(Message::signed_in_as, {{"user", user}}), "</p>\n"});
}

}  // namespace

WebResponse PageScreens::consent(const WebRequest& request, const ConsentScreen& screen) {
  const Words words = words_of(request, screen.ui_locales);
  Html content = who_asks(words, screen.client, screen.user);
  content.add({"<h2>", words(Message::consent_scopes), "</h2>\n", scope_list(site_, words, screen.scopes),
               open_form({site_, "/consent", screen.csrf, screen.flow}),
               decision_buttons(words, Message::consent_allow), "</form>\n", "<p class=\"hint\">",
               words(Message::consent_revocable), "</p>\n"});
  const Html links{outward(words, Message::consent_about, screen.client.settings.client_uri),
                   outward(words, Message::consent_policy, screen.client.settings.policy_uri),
                   outward(words, Message::consent_terms, screen.client.settings.tos_uri)};
  if (!links.empty()) content.add({"<p class=\"links\">", links, "</p>\n"});
  return html(200, render_page(site_, {.words = words, .title = Message::title_consent}, content));
}

WebResponse PageScreens::ask_device_code(const Words& words, const DeviceScreen& screen) const {
  const bool wrong = screen.state == DeviceScreen::State::wrong_code;
  const std::optional<Alert> alert =
      wrong ? std::optional(Alert{Alert::Tone::error, std::string(words(Message::device_wrong_code)), "user_code"})
            : std::nullopt;
  Field field{.name = "user_code", .label = Message::field_user_code, .alert = &alert};
  field.value = screen.user_code;
  field.attributes = Html{
      " autocomplete=\"off\" autocapitalize=\"characters\" spellcheck=\"false\" maxlength=\"32\" required autofocus"};
  const Html content{paragraph(words(Message::device_text)),
                     open_form({site_, "/device", screen.csrf}),
                     render_field(words, field),
                     button(words, Message::device_continue, ButtonLook::primary),
                     "</form>\n<p class=\"muted\">",
                     words(Message::signed_in_as, {{"user", screen.user}}),
                     "</p>\n"};
  return html(wrong ? 400 : 200,
              render_page(site_, {.words = words, .title = Message::title_device, .alert = alert}, content));
}

WebResponse PageScreens::confirm_device(const Words& words, const DeviceScreen& screen) const {
  Html content = who_asks(words, *screen.client, screen.user);
  content.add({"<p>", words.emphasised(Message::device_check, {{"code", screen.user_code}}), "</p>\n"});
  if (screen.scopes != nullptr && !screen.scopes->empty())
    content.add({"<h2>", words(Message::consent_scopes), "</h2>\n", scope_list(site_, words, *screen.scopes)});
  content.add({open_form({site_, "/device", screen.csrf}), hidden("user_code", screen.user_code),
               decision_buttons(words, Message::device_allow), "</form>\n"});
  return html(200, render_page(site_, {.words = words, .title = Message::title_device_confirm}, content));
}

WebResponse PageScreens::device(const WebRequest& request, const DeviceScreen& screen) {
  const Words words = words_of(request);
  switch (screen.state) {
    case DeviceScreen::State::ask_code:
    case DeviceScreen::State::wrong_code: break;
    case DeviceScreen::State::confirm:
      if (screen.client != nullptr) return confirm_device(words, screen);
      break;
    case DeviceScreen::State::allowed:
      return html(200, render_notice(site_, words,
                                     {.title = Message::title_device_allowed,
                                      .text = std::string(words(Message::device_allowed_text))}));
    case DeviceScreen::State::denied:
      return html(200, render_notice(site_, words,
                                     {.title = Message::title_device_denied,
                                      .text = std::string(words(Message::device_denied_text))}));
  }
  return ask_device_code(words, screen);
}

WebResponse PageScreens::confirm_logout(const WebRequest& request, const LogoutScreen& screen) {
  const Words words = words_of(request);
  Html content{"<p>", words.emphasised(Message::logout_text, {{"user", screen.user}}), "</p>\n",
               open_form({site_, "/logout", screen.csrf})};
  for (const auto& [name, value] : screen.fields) {
    if (name != "csrf") content.add({hidden(name, value)});
  }
  content.add({button(words, Message::logout_submit, ButtonLook::primary), "</form>\n<p class=\"links\">",
               link(site_, "/account", words(Message::logout_stay)), "</p>\n"});
  return html(200, render_page(site_, {.words = words, .title = Message::title_logout}, content));
}

WebResponse PageScreens::signed_out(const WebRequest& request) {
  const Words words = words_of(request);
  return html(200, render_notice(site_, words,
                                 {.title = Message::title_signed_out,
                                  .text = std::string(words(Message::signed_out_text)),
                                  .path = "/login",
                                  .link = Message::sign_in_again}));
}

WebResponse PageScreens::form_post(const WebRequest& request, std::string_view action,
                                   const std::vector<std::pair<std::string, std::string>>& fields) {
  const Words words = words_of(request);
  Html content{paragraph(words(Message::form_post_text)), "<form method=\"post\" action=\"", action, "\">\n"};
  for (const auto& [name, value] : fields) {
    if (!value.empty()) content.add({hidden(name, value)});
  }
  content.add({button(words, Message::form_post_submit, ButtonLook::primary), "</form>\n"});
  return html(200, render_page(site_, {.words = words, .title = Message::title_form_post, .submits = true}, content));
}

WebResponse PageScreens::error(const WebRequest& request, int status, std::string_view code,
                               std::string_view description) {
  const Words words = words_of(request);
  const bool ours = status >= 500;
  const Message title = ours ? Message::title_unavailable : Message::title_request_error;
  Html content{paragraph(words(ours ? Message::unavailable_text : Message::request_error_text))};
  content.add({"<p class=\"muted\"><code>", code, "</code> <span lang=\"en\">", description, "</span></p>\n"});
  if (!request.request_id.empty()) {
    content.add({"<p class=\"muted\">", words(Message::request_id), " <code>", request.request_id, "</code></p>\n"});
  }
  return html(status, render_page(site_, {.words = words, .title = title}, content));
}

}  // namespace gatehouse::identity
