#include "identity/pages/account_views.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "identity/pages/login_views.h"

namespace gatehouse::identity {
namespace {

std::string account_page(const Site& site, const Words& words, const AccountView& view, AccountTab tab, Message title,
                         const Html& content) {
  return render_page(
      site, {.words = words, .title = title, .alert = view.alert, .tab = tab, .user = view.user.username}, content);
}

Html term(const Words& words, Message name, std::string_view value) {
  return Html{"<dt>", words(name), "</dt><dd>", value.empty() ? words(Message::value_none) : value, "</dd>\n"};
}

}  // namespace

std::string render_account(const Site& site, const Words& words, const AccountView& view, const AccountCounts& counts) {
  const User& user = view.user;
  Html content{"<dl>\n", term(words, Message::field_new_username, user.username),
               term(words, Message::field_name, user.profile.name)};
  content.add({"<dt>", words(Message::field_email), "</dt><dd>",
               user.profile.email.empty() ? words(Message::value_none) : std::string_view(user.profile.email)});
  if (!user.profile.email.empty()) {
    if (user.email_verified) {
      content.add({" <span class=\"tag\">", words(Message::email_confirmed), "</span>"});
    } else {
      content.add({" <span class=\"muted\">", words(Message::email_unconfirmed), "</span>"});
    }
  }
  content.add({"</dd>\n"});
  const auto count = [&](Message name, std::size_t number, std::string_view path) {
    content.add({"<dt>", words(name), "</dt><dd>", link(site, path, fmt::format("{}", number)), "</dd>\n"});
  };
  count(Message::nav_factors, counts.factors, "/account/factors");
  count(Message::nav_sessions, counts.sessions, "/account/sessions");
  count(Message::nav_applications, counts.applications, "/account/applications");
  content.add({"</dl>\n"});
  if (counts.factors == 0) {
    content.add({"<div class=\"alert notice\"><p>", words(Message::account_no_factor), "</p><p>",
                 link(site, "/account/factors", words(Message::account_add_factor)), "</p></div>\n"});
  }
  return account_page(site, words, view, AccountTab::overview, Message::title_account, content);
}

std::string render_sessions(const Site& site, const Words& words, const AccountView& view,
                            const std::vector<Session>& sessions, std::string_view current) {
  Html content{paragraph(words(Message::sessions_text)), "<ul class=\"rows\">\n"};
  for (const Session& session : sessions) {
    content.add({"<li><div class=\"what\"><p><strong>", session.device, "</strong>"});
    if (session.id == current) content.add({" <span class=\"tag\">", words(Message::session_this), "</span>"});
    content.add({"</p><p class=\"muted\">", session.client_ip, " · ",
                 words(Message::session_seen, {{"time", words.time(session.seen_s)}}), "</p><p class=\"muted\">",
                 words(session.mfa() ? Message::session_with_factor : Message::session_without_factor), " · ",
                 words(Message::session_since, {{"time", words.time(session.created_s)}}), "</p></div>\n"});
    if (session.id != current) {
      content.add({open_form({site, "/account/sessions", view.csrf}),
                   button(words, Message::session_end, ButtonLook::danger, "session", session.id, session.device),
                   "</form>"});
    }
    content.add({"</li>\n"});
  }
  content.add({"</ul>\n"});
  if (sessions.size() > 1) {
    content.add({open_form({site, "/account/sessions", view.csrf}),
                 button(words, Message::sessions_end_others, ButtonLook::danger, "others", "1"), "</form>\n"});
  }
  return account_page(site, words, view, AccountTab::sessions, Message::title_sessions, content);
}

std::string render_factors(const Site& site, const Words& words, const AccountView& view,
                           const std::vector<Factor>& factors) {
  Html content{paragraph(words(Message::factors_text))};
  bool recovery = false;
  if (!factors.empty()) content.add({"<ul class=\"rows\">\n"});
  for (const Factor& factor : factors) {
    const std::string_view kind = words(name_of_kind(factor.kind));
    const std::string_view label = factor.label.empty() ? kind : std::string_view(factor.label);
    recovery = recovery || factor.kind == FactorKind::recovery;
    content.add({"<li"});
    if (factor.kind == FactorKind::webauthn) content.add({" data-credential=\"", factor.id, "\""});
    content.add({"><div class=\"what\"><p><strong>", label, "</strong></p><p class=\"muted\">"});
    if (label != kind) content.add({kind, " · "});
    content.add({words(Message::factor_added, {{"time", words.time(factor.created_s)}}), "</p>"});
    if (factor.used_s != 0)
      content.add({"<p class=\"muted\">", words(Message::factor_used, {{"time", words.time(factor.used_s)}}), "</p>"});
    content.add({"</div>\n<div class=\"acts\">"});
    if (factor.kind != FactorKind::recovery) {
      content.add({"<a class=\"button secondary\" href=\"", site.base, "/account/factors/rename?factor=", factor.id,
                   "\">", words(Message::factor_rename), "<span class=\"unseen\"> ", label, "</span></a>\n"});
    }
    content.add({open_form({site, "/account/factors/remove", view.csrf}),
                 button(words, Message::factor_remove, ButtonLook::danger, "factor", factor.id, label),
                 "</form></div></li>\n"});
  }
  if (!factors.empty()) content.add({"</ul>\n"});
  content.add({open_form({site, "/account/factors/add", view.csrf}),
               button(words, Message::factors_add, ButtonLook::primary, "begin", "1"), "</form>\n"});
  if (!factors.empty()) {
    content.add(
        {"<h2>", words(Message::kind_recovery), "</h2>\n",
         paragraph(words(recovery ? Message::recovery_have : Message::recovery_none)),
         open_form({site, "/account/factors/recovery", view.csrf}),
         button(words, recovery ? Message::recovery_renew : Message::recovery_make, ButtonLook::secondary, "make", "1"),
         "</form>\n"});
  }
  return account_page(site, words, view, AccountTab::factors, Message::title_factors, content);
}

std::string render_rename(const Site& site, const Words& words, const AccountView& view, const Factor& factor) {
  const Html content{open_form({site, "/account/factors/rename", view.csrf}),
                     hidden("factor", factor.id),
                     render_field(words, {.name = "label",
                                          .label = Message::field_label,
                                          .value = factor.label,
                                          .attributes = Html{" autocomplete=\"off\" maxlength=\"64\" required"},
                                          .alert = &view.alert}),
                     button(words, Message::save, ButtonLook::primary),
                     "</form>\n<p class=\"links\">",
                     link(site, "/account/factors", words(Message::enrol_back)),
                     "</p>\n"};
  return account_page(site, words, view, AccountTab::factors, Message::title_rename, content);
}

std::string render_applications(const Site& site, const Words& words, const AccountView& view,
                                const std::vector<ApplicationRow>& applications) {
  Html content{paragraph(words(applications.empty() ? Message::applications_none : Message::applications_text))};
  if (!applications.empty()) content.add({"<ul class=\"rows\">\n"});
  for (const ApplicationRow& application : applications) {
    content.add(
        {"<li><div class=\"what\"><p><strong>", application.name, "</strong> <span class=\"muted\">", application.host,
         "</span></p>\n", scope_list(site, words, application.scopes), "<p class=\"muted\">",
         words(Message::application_since, {{"time", words.time(application.since_s)}}), "</p></div>\n",
         open_form({site, "/account/applications", view.csrf}),
         button(words, Message::application_revoke, ButtonLook::danger, "client", application.id, application.name),
         "</form></li>\n"});
  }
  if (!applications.empty()) content.add({"</ul>\n"});
  return account_page(site, words, view, AccountTab::applications, Message::title_applications, content);
}

namespace {

Html new_password_fields(const Words& words, std::size_t length_min, const std::optional<Alert>& alert, bool focus) {
  const std::string hint = words(Message::password_hint, {{"count", fmt::format("{}", length_min)}});
  Field first{.name = "password", .label = Message::field_new_password, .hint_text = hint, .alert = &alert};
  first.attributes = Html{" type=\"password\" autocomplete=\"new-password\" maxlength=\"1024\" required"};
  if (focus) first.attributes.add({" autofocus"});
  return render_field(words, first);
}

}  // namespace

std::string render_logins(const Site& site, const Words& words, const AccountView& view,
                          const std::vector<LoginRow>& logins, const std::vector<FederationButton>& providers) {
  Html content{paragraph(words(logins.empty() ? Message::logins_none : Message::logins_text))};
  if (!logins.empty()) content.add({"<ul class=\"rows\">\n"});
  for (const LoginRow& login : logins) {
    content.add({"<li><div class=\"what\"><p><strong>", login.provider, "</strong></p><p class=\"muted\">",
                 login.subject, " · ", words(Message::logins_since, {{"time", words.time(login.since_s)}}),
                 "</p></div>\n", open_form({site, "/account/logins", view.csrf}), hidden("issuer", login.issuer),
                 hidden("subject", login.subject),
                 button(words, Message::logins_unlink, ButtonLook::danger, "unlink", "1", login.provider),
                 "</form></li>\n"});
  }
  if (!logins.empty()) content.add({"</ul>\n"});
  for (const FederationButton& provider : providers) {
    content.add({open_form({site, "/account/logins", view.csrf}),
                 "<button type=\"submit\" class=\"secondary\" name=\"link\" value=\"", provider.id, "\">",
                 words(Message::logins_link, {{"provider", provider.name}}), "</button></form>\n"});
  }
  return account_page(site, words, view, AccountTab::logins, Message::title_logins, content);
}

std::string render_password(const Site& site, const Words& words, const AccountView& view, std::size_t length_min) {
  Html content{paragraph(words(Message::password_text)), open_form({site, "/account/password", view.csrf}),
               hidden("username", view.user.username)};
  content.add({new_password_fields(words, length_min, view.alert, true),
               button(words, Message::save, ButtonLook::primary), "</form>\n"});
  return account_page(site, words, view, AccountTab::password, Message::title_password, content);
}

std::string render_profile(const Site& site, const Words& words, const AccountView& view, const Profile& profile) {
  const auto field = [&](std::string_view name, Message label, std::string_view value, Html attributes,
                         std::optional<Message> hint = {}) {
    return render_field(words, {.name = name,
                                .label = label,
                                .value = value,
                                .attributes = std::move(attributes),
                                .hint = hint,
                                .alert = &view.alert});
  };
  Html content{open_form({site, "/account/profile", view.csrf})};
  content.add({field("name", Message::field_name, profile.name, Html{" autocomplete=\"name\" maxlength=\"200\""}),
               field("given_name", Message::field_given_name, profile.given_name,
                     Html{" autocomplete=\"given-name\" maxlength=\"200\""}),
               field("family_name", Message::field_family_name, profile.family_name,
                     Html{" autocomplete=\"family-name\" maxlength=\"200\""}),
               field("phone_number", Message::field_phone, profile.phone_number,
                     Html{" type=\"tel\" autocomplete=\"tel\" maxlength=\"32\""}, Message::phone_hint),
               field("locale", Message::field_locale, profile.locale,
                     Html{" autocomplete=\"language\" maxlength=\"32\" spellcheck=\"false\""}, Message::locale_hint),
               button(words, Message::save, ButtonLook::primary, "save", "profile"), "</form>\n"});
  content.add({"<h2>", words(Message::field_email), "</h2>\n", open_form({site, "/account/profile", view.csrf}),
               field("email", Message::field_email, profile.email,
                     Html{" type=\"email\" autocomplete=\"email\" maxlength=\"254\" required"}, Message::email_hint),
               button(words, Message::email_change, ButtonLook::secondary, "save", "email"), "</form>\n"});
  return account_page(site, words, view, AccountTab::profile, Message::title_profile, content);
}

Html scope_list(const Site& site, const Words& words, const std::vector<std::string>& scopes) {
  struct Known {
    std::string_view scope;
    Message text;
  };
  constexpr std::array<Known, 6> kKnown{{{"openid", Message::scope_openid},
                                         {"profile", Message::scope_profile},
                                         {"email", Message::scope_email},
                                         {"address", Message::scope_address},
                                         {"phone", Message::scope_phone},
                                         {"offline_access", Message::scope_offline}}};
  constexpr std::string_view kResource = "resource:";
  Html out{"<ul class=\"scopes\">\n"};
  for (const std::string& scope : scopes) {
    const auto* known = std::ranges::find(kKnown, scope, &Known::scope);
    const auto own = std::ranges::find(site.scopes, scope, &std::pair<std::string, std::string>::first);
    if (own != site.scopes.end()) {
      out.add({"<li>", own->second, "</li>\n"});
    } else if (known != kKnown.end()) {
      out.add({"<li>", words(known->text), "</li>\n"});
    } else if (scope.starts_with(kResource)) {
      out.add({"<li>", words.emphasised(Message::scope_resource, {{"resource", scope.substr(kResource.size())}}),
               "</li>\n"});
    } else {
      out.add({"<li>", words.emphasised(Message::scope_other, {{"scope", scope}}), "</li>\n"});
    }
  }
  return out.add({"</ul>\n"});
}

std::string render_reset_request(const Site& site, const Words& words, std::string_view csrf, std::string_view username,
                                 const std::optional<Alert>& alert) {
  const Html content{
      paragraph(words(Message::reset_text)),
      open_form({site, "/reset", csrf}),
      render_field(words, {.name = "username",
                           .label = Message::field_username,
                           .value = username,
                           .attributes = Html{" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" "
                                              "maxlength=\"254\" required autofocus"},
                           .alert = &alert}),
      button(words, Message::reset_submit, ButtonLook::primary),
      "</form>\n<p class=\"links\">",
      link(site, "/login", words(Message::back_to_login)),
      "</p>\n"};
  return render_page(site, {.words = words, .title = Message::title_reset, .alert = alert}, content);
}

std::string render_new_password(const Site& site, const Words& words, const NewPasswordView& view) {
  Html content{paragraph(words(view.text)), open_form({site, view.path, view.csrf}), hidden("ticket", view.ticket)};
  Field username{
      .name = "username", .label = Message::field_new_username, .value = view.username, .alert = &view.alert};
  username.attributes =
      Html{" autocomplete=\"username\" autocapitalize=\"none\" spellcheck=\"false\" maxlength=\"128\" required"};
  if (view.choose_name) {
    username.attributes.add({" autofocus"});
    username.hint = Message::username_hint;
  } else {
    username.attributes.add({" readonly"});
  }
  content.add({render_field(words, username)});
  if (view.choose_name) {
    content.add({render_field(words, {.name = "email",
                                      .label = Message::field_email,
                                      .value = view.email,
                                      .attributes = Html{" type=\"email\" autocomplete=\"email\" maxlength=\"254\""},
                                      .hint = Message::optional_hint,
                                      .alert = &view.alert})});
  }
  content.add({new_password_fields(words, view.length_min, view.alert, !view.choose_name),
               button(words, view.submit, ButtonLook::primary), "</form>\n"});
  return render_page(site, {.words = words, .title = view.title, .alert = view.alert}, content);
}

std::string render_verify_email(const Site& site, const Words& words, std::string_view csrf, std::string_view ticket,
                                std::string_view email) {
  const Html content{"<p>",
                     words.emphasised(Message::verify_text, {{"email", email}}),
                     "</p>\n",
                     open_form({site, "/verify-email", csrf}),
                     hidden("ticket", ticket),
                     button(words, Message::verify_submit, ButtonLook::primary, "confirm", "1"),
                     "</form>\n"};
  return render_page(site, {.words = words, .title = Message::title_verify}, content);
}

std::string render_notice(const Site& site, const Words& words, const NoticeView& view) {
  Html content{paragraph(view.text)};
  if (!view.request_id.empty())
    content.add({"<p class=\"muted\">", words(Message::request_id), " <code>", view.request_id, "</code></p>\n"});
  if (view.link) content.add({"<p class=\"links\">", link(site, view.path, words(*view.link)), "</p>\n"});
  return render_page(site, {.words = words, .title = view.title}, content);
}

}  // namespace gatehouse::identity
