#include "identity/pages/login_views.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::identity {
namespace {

// A form that the script takes over (assets/passkeys.js). Its button is hidden until the script runs.
struct PasskeyForm {
  std::string_view path, flow, csrf, options;
  bool creates = false, autofill = false;
  Message label;
  Html fields = {};
};

Html render_passkey_form(const Site& site, const Words& words, const PasskeyForm& form) {
  Html out{"<form method=\"post\" action=\"", site.base, form.path, "\" data-options=\"", form.options, "\""};
  if (form.creates) out.add({" data-taken=\"", words(Message::passkey_taken), "\""});
  if (form.autofill) out.add({" data-autofill"});
  out.add({" data-failed=\"", words(Message::passkey_failed), "\" data-cancelled=\"", words(Message::passkey_cancelled),
           "\""});
  if (!form.autofill) out.add({" data-unsupported=\"", words(Message::passkey_unsupported), "\""});
  out.add({">\n", hidden("csrf", form.csrf), hidden("flow", form.flow), hidden("credential", ""), form.fields,
           "<button type=\"submit\" name=\"passkey\" value=\"1\" hidden"});
  if (form.creates) {
    out.add({" data-webauthn=\"create\""});
  } else {
    out.add({" data-webauthn=\"get\""});
  }
  if (form.autofill) out.add({" class=\"secondary\""});
  out.add({">", words(form.label), "</button>\n<p class=\"wrong\" data-says></p>\n"});
  if (!form.autofill) out.add({"<noscript>", paragraph(words(Message::passkey_needs_script)), "</noscript>\n"});
  return out.add({"</form>\n"});
}

Html code_field(const Words& words, Message label, bool recovery, const std::optional<Alert>& alert) {
  Field field{.name = "code", .label = label, .alert = &alert};
  if (recovery) {
    field.attributes =
        Html{" autocomplete=\"off\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"64\" required autofocus"};
  } else {
    field.attributes =
        Html{" inputmode=\"numeric\" autocomplete=\"one-time-code\" maxlength=\"16\" required autofocus"};
  }
  return render_field(words, field);
}

Html cause(const Words& words, bool step_up, std::string_view client_name, std::string_view username) {
  Html out;
  if (step_up && client_name.empty()) {
    out.add({"<p>", words.emphasised(Message::step_up_own, {{"user", username}}), "</p>\n"});
  } else if (step_up) {
    out.add(
        {"<p>", words.emphasised(Message::step_up_client, {{"client", client_name}, {"user", username}}), "</p>\n"});
  } else if (!client_name.empty()) {
    out.add({"<p>", words.emphasised(Message::login_for_client, {{"client", client_name}}), "</p>\n"});
  }
  return out;
}

}  // namespace

Message name_of_kind(FactorKind kind) noexcept {
  switch (kind) {
    case FactorKind::totp: return Message::kind_totp;
    case FactorKind::webauthn: return Message::kind_webauthn;
    case FactorKind::email: return Message::kind_email;
    case FactorKind::sms: return Message::kind_sms;
    case FactorKind::recovery: break;
  }
  return Message::kind_recovery;
}

std::string render_login(const Site& site, const Words& words, const LoginView& view) {
  Html content = cause(words, view.same_user, view.client_name, view.username);
  content.add({open_form({site, "/login", view.csrf, view.flow})});
  Field username{.name = "username", .label = Message::field_username, .value = view.username, .alert = &view.alert};
  username.attributes = Html{
      " autocomplete=\"username webauthn\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"254\" required"};
  const bool name_is_known = view.same_user || !view.username.empty();
  if (view.same_user) username.attributes.add({" readonly"});
  if (!name_is_known) username.attributes.add({" autofocus"});
  Field password{.name = "password", .label = Message::field_password, .alert = &view.alert};
  password.attributes = Html{" type=\"password\" autocomplete=\"current-password\" maxlength=\"1024\" required"};
  if (name_is_known) password.attributes.add({" autofocus"});
  content.add({render_field(words, username), render_field(words, password),
               button(words, Message::login_submit, ButtonLook::primary), "</form>\n"});
  const bool other_ways = view.federation != nullptr && !view.federation->empty();
  if (!view.passkey_options.empty() || other_ways) {
    if (other_ways) {
      content.add({"<div><p class=\"or\">", words(Message::login_or), "</p>\n"});
    } else {
      content.add({"<div data-shown-with-passkey hidden><p class=\"or\">", words(Message::login_or), "</p>\n"});
    }
    if (!view.passkey_options.empty()) {
      content.add({render_passkey_form(site, words,
                                       {.path = "/login/passkey",
                                        .flow = view.flow,
                                        .csrf = view.csrf,
                                        .options = view.passkey_options,
                                        .autofill = true,
                                        .label = Message::login_passkey})});
    }
    if (other_ways) {
      for (const FederationButton& provider : *view.federation) {
        content.add({"<a class=\"button secondary\" href=\"", site.base, "/federation/", provider.id, "?flow=",
                     view.flow, "\">", words(Message::login_federation, {{"provider", provider.name}}), "</a>\n"});
      }
    }
    content.add({"</div>\n"});
  }
  if (view.can_reset)
    content.add({"<p class=\"links\">", link(site, "/reset", words(Message::login_forgot)), "</p>\n"});
  const Message title = view.same_user ? Message::title_step_up : Message::title_login;
  return render_page(
      site, {.words = words, .title = title, .alert = view.alert, .passkeys = !view.passkey_options.empty()}, content);
}

namespace {

Html render_chosen(const Site& site, const Words& words, const FactorView& view, const FactorChoice& chosen) {
  const std::string remember = view.remember_days == 0
                                   ? std::string()
                                   : words(Message::factor_remember, {{"days", fmt::format("{}", view.remember_days)}});
  Html box;
  if (!remember.empty()) box = checkbox(words, "remember", remember);
  if (chosen.kind == FactorKind::webauthn) {
    return Html{paragraph(words(Message::factor_webauthn_text)),
                render_passkey_form(site, words,
                                    {.path = "/login/factor/passkey",
                                     .flow = view.flow,
                                     .csrf = view.csrf,
                                     .options = view.passkey_options,
                                     .label = Message::factor_webauthn_submit,
                                     .fields = box})};
  }
  const bool is_sent = chosen.kind == FactorKind::email || chosen.kind == FactorKind::sms;
  if (is_sent && !view.sent) {
    return Html{"<p>",
                words.emphasised(Message::factor_will_send, {{"address", chosen.hint}}),
                "</p>\n",
                open_form({site, "/login/factor/send", view.csrf, view.flow}),
                hidden("factor", chosen.id),
                button(words, Message::factor_send, ButtonLook::primary, "send", "1"),
                "</form>\n"};
  }
  Html out;
  Message label = Message::field_code;
  if (is_sent) out.add({"<p>", words.emphasised(Message::factor_sent, {{"address", chosen.hint}}), "</p>\n"});
  if (chosen.kind == FactorKind::totp) out.add({paragraph(words(Message::factor_totp_text))});
  if (chosen.kind == FactorKind::recovery) {
    out.add({paragraph(words(Message::factor_recovery_text))});
    label = Message::field_recovery_code;
  }
  out.add({open_form({site, "/login/factor", view.csrf, view.flow}), hidden("factor", chosen.id),
           code_field(words, label, chosen.kind == FactorKind::recovery, view.alert), box,
           button(words, Message::factor_submit, ButtonLook::primary), "</form>\n"});
  if (is_sent) {
    out.add({open_form({site, "/login/factor/send", view.csrf, view.flow}), hidden("factor", chosen.id),
             button(words, Message::factor_send_again, ButtonLook::secondary, "send", "1"), "</form>\n"});
  }
  return out;
}

}  // namespace

std::string render_factor(const Site& site, const Words& words, const FactorView& view) {
  Html content = cause(words, view.step_up, view.client_name, view.username);
  const auto chosen = std::ranges::find(view.choices, view.chosen, &FactorChoice::id);
  if (chosen != view.choices.end()) content.add({render_chosen(site, words, view, *chosen)});
  if (view.choices.size() > 1) {
    content.add({"<h2>", words(Message::factor_others), "</h2>\n<ul class=\"plain\">\n"});
    for (const FactorChoice& choice : view.choices) {
      if (choice.id == view.chosen) continue;
      content.add({"<li><a href=\"", site.base, "/login/factor?flow=", view.flow, "&amp;factor=", choice.id, "\">",
                   words(name_of_kind(choice.kind))});
      if (!choice.hint.empty()) content.add({" (", choice.hint, ")"});
      if (choice.hint.empty() && !choice.label.empty()) content.add({" (", choice.label, ")"});
      content.add({"</a></li>\n"});
    }
    content.add({"</ul>\n"});
  }
  if (!view.step_up) {
    content.add({open_form({site, "/login/restart", view.csrf, view.flow}),
                 button(words, Message::factor_restart, ButtonLook::secondary, "restart", "1"), "</form>\n"});
  }
  const bool passkey = chosen != view.choices.end() && chosen->kind == FactorKind::webauthn;
  return render_page(site, {.words = words, .title = Message::title_factor, .alert = view.alert, .passkeys = passkey},
                     content);
}

namespace {

std::string render_enrol(const Site& site, const Words& words, const EnrolView& view, Message title,
                         const Html& content, bool passkeys = false) {
  Html whole = content;
  if (!view.demanded)
    whole.add({"<p class=\"links\">", link(site, "/account/factors", words(Message::enrol_back)), "</p>\n"});
  return render_page(site,
                     {.words = words,
                      .title = title,
                      .alert = view.alert,
                      .tab = view.demanded ? AccountTab::none : AccountTab::factors,
                      .user = view.user,
                      .passkeys = passkeys},
                     whole);
}

Html label_field(const Words& words, Message example) {
  return render_field(words, {.name = "label",
                              .label = Message::field_label,
                              .attributes = Html{" autocomplete=\"off\" maxlength=\"64\""},
                              .hint = example});
}

std::string path_in(const EnrolView& view, std::string_view end) { return fmt::format("{}{}", view.base, end); }

}  // namespace

std::string render_enrol_choice(const Site& site, const Words& words, const EnrolView& view, const EnrolWays& ways) {
  struct Way {
    bool there;
    std::string_view kind;
    Message name, text;
  };
  const Way all[] = {
      {ways.webauthn, "webauthn", Message::kind_webauthn, Message::enrol_webauthn_text},
      {ways.totp, "totp", Message::kind_totp, Message::enrol_totp_text},
      {ways.email, "email", Message::kind_email, Message::enrol_email_text},
      {ways.sms, "sms", Message::kind_sms, Message::enrol_sms_text},
  };
  Html content;
  if (view.demanded) content.add({paragraph(words(Message::enrol_demanded))});
  content.add({"<ul class=\"rows\">\n"});
  for (const Way& way : all) {
    if (!way.there) continue;
    content.add({"<li><div class=\"what\"><p><strong>", words(way.name), "</strong></p><p class=\"muted\">",
                 words(way.text), "</p></div>\n", open_form({site, path_in(view, ""), view.csrf, view.flow}),
                 button(words, Message::enrol_choose, ButtonLook::secondary, "kind", way.kind, words(way.name)),
                 "</form></li>\n"});
  }
  content.add({"</ul>\n"});
  return render_enrol(site, words, view, Message::title_enrol, content);
}

std::string render_enrol_totp(const Site& site, const Words& words, const EnrolView& view, std::string_view secret,
                              const Html& qr_code) {
  Html content = paragraph(words(Message::totp_step_scan));
  if (!qr_code.empty()) content.add({"<div class=\"qr\">", qr_code, "</div>\n"});
  content.add({"<details><summary>", words(Message::totp_cannot_scan), "</summary>\n<p>",
               words(Message::totp_type_secret), "</p>\n<p><code id=\"secret\">", secret, "</code></p></details>\n",
               "<p>", words(Message::totp_step_code), "</p>\n",
               open_form({site, path_in(view, "/totp"), view.csrf, view.flow}),
               code_field(words, Message::field_code, false, view.alert), label_field(words, Message::label_hint_totp),
               button(words, Message::enrol_confirm, ButtonLook::primary), "</form>\n"});
  return render_enrol(site, words, view, Message::title_enrol_totp, content);
}

std::string render_enrol_webauthn(const Site& site, const Words& words, const EnrolView& view,
                                  std::string_view options) {
  const Html content{paragraph(words(Message::webauthn_text)),
                     render_passkey_form(site, words,
                                         {.path = path_in(view, "/webauthn"),
                                          .flow = view.flow,
                                          .csrf = view.csrf,
                                          .options = options,
                                          .creates = true,
                                          .label = Message::webauthn_submit,
                                          .fields = label_field(words, Message::label_hint_webauthn)})};
  return render_enrol(site, words, view, Message::title_enrol_webauthn, content, true);
}

std::string render_enrol_address(const Site& site, const Words& words, const EnrolView& view, FactorKind kind,
                                 std::string_view address, bool fixed) {
  const bool email = kind == FactorKind::email;
  Html content{paragraph(words(view.demanded ? Message::enrol_email_first
                               : email       ? Message::enrol_email_text
                                             : Message::enrol_sms_text))};
  Field field{.name = "address",
              .label = email ? Message::field_email : Message::field_phone,
              .value = address,
              .alert = &view.alert};
  if (email) {
    field.attributes = Html{" type=\"email\" autocomplete=\"email\" maxlength=\"254\" required"};
  } else {
    field.attributes = Html{" type=\"tel\" autocomplete=\"tel\" maxlength=\"32\" required"};
    field.hint = Message::phone_hint;
  }
  if (fixed) field.attributes.add({" readonly"});
  content.add({open_form({site, path_in(view, email ? "/email" : "/sms"), view.csrf, view.flow}),
               render_field(words, field), button(words, Message::factor_send, ButtonLook::primary), "</form>\n"});
  return render_enrol(site, words, view, email ? Message::title_enrol_email : Message::title_enrol_sms, content);
}

std::string render_enrol_code(const Site& site, const Words& words, const EnrolView& view, FactorKind kind,
                              std::string_view address) {
  const bool email = kind == FactorKind::email;
  const std::string path = path_in(view, email ? "/email" : "/sms");
  const Html content{"<p>",
                     words.emphasised(Message::factor_sent, {{"address", address}}),
                     "</p>\n",
                     open_form({site, path, view.csrf, view.flow}),
                     code_field(words, Message::field_code, false, view.alert),
                     button(words, Message::enrol_confirm, ButtonLook::primary),
                     "</form>\n",
                     open_form({site, path, view.csrf, view.flow}),
                     hidden("address", address),
                     button(words, Message::factor_send_again, ButtonLook::secondary, "send", "1"),
                     "</form>\n"};
  return render_enrol(site, words, view, email ? Message::title_enrol_email : Message::title_enrol_sms, content);
}

std::string render_recovery_codes(const Site& site, const Words& words, std::string_view user,
                                  const std::vector<std::string>& codes, std::string_view next) {
  Html content{paragraph(words(Message::recovery_text)), "<ul class=\"codes\">\n"};
  for (const std::string& code : codes) content.add({"<li>", code, "</li>\n"});
  content.add({"</ul>\n<p class=\"links\"><a class=\"button\" href=\"", site.base, next, "\">",
               words(Message::recovery_kept), "</a></p>\n"});
  return render_page(site, {.words = words, .title = Message::title_recovery, .tab = AccountTab::factors, .user = user},
                     content);
}

}  // namespace gatehouse::identity
