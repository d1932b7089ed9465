#include "identity/pages/page.h"

#include <fmt/format.h>

#include <array>

namespace gatehouse::identity {
namespace {

Html render_alert(const Alert& alert) {
  Html out;
  switch (alert.tone) {
    case Alert::Tone::error: out.add({"<div class=\"alert error\" role=\"alert\"><p>"}); break;
    case Alert::Tone::success: out.add({"<div class=\"alert success\" role=\"status\"><p>"}); break;
    case Alert::Tone::notice: out.add({"<div class=\"alert notice\" role=\"status\"><p>"}); break;
  }
  if (alert.field.empty()) {
    out.add({alert.text});
  } else {
    out.add({"<a href=\"#", alert.field, "\">", alert.text, "</a>"});
  }
  return out.add({"</p></div>\n"});
}

Html render_navigation(const Site& site, const PageFrame& frame) {
  struct Entry {
    AccountTab tab;
    std::string_view path;
    Message label;
  };
  constexpr std::array<Entry, 7> kEntries{{
      {AccountTab::overview, "/account", Message::nav_overview},
      {AccountTab::profile, "/account/profile", Message::nav_profile},
      {AccountTab::password, "/account/password", Message::nav_password},
      {AccountTab::factors, "/account/factors", Message::nav_factors},
      {AccountTab::logins, "/account/logins", Message::nav_logins},
      {AccountTab::sessions, "/account/sessions", Message::nav_sessions},
      {AccountTab::applications, "/account/applications", Message::nav_applications},
  }};
  Html out{"<nav aria-label=\"", frame.words(Message::nav_label), "\"><ul>\n"};
  for (const Entry& entry : kEntries) {
    if (entry.tab == AccountTab::logins && !site.linked_logins) continue;
    out.add({"<li><a href=\"", site.base, entry.path, "\""});
    if (entry.tab == frame.tab) out.add({" aria-current=\"page\""});
    out.add({">", frame.words(entry.label), "</a></li>\n"});
  }
  return out.add({"</ul></nav>\n"});
}

Html render_header(const Site& site, const PageFrame& frame) {
  const bool account = frame.tab != AccountTab::none;
  Html out{"<header>\n<p class=\"brand\">"};
  if (!site.assets.logo().empty()) out.add({"<img src=\"", site.assets.logo(), "\" alt=\"\" height=\"40\"> "});
  out.add({"<span>", site.name, "</span></p>\n"});
  if (account) {
    out.add({"<p class=\"who\"><span>", frame.user, "</span> ",
             link(site, "/logout", frame.words(Message::nav_sign_out)), "</p>\n"});
  }
  return out.add({"</header>\n"});
}

}  // namespace

std::string render_page(const Site& site, const PageFrame& frame, const Html& content) {
  const Words& words = frame.words;
  const bool account = frame.tab != AccountTab::none;
  const bool wrong = frame.alert && frame.alert->tone == Alert::Tone::error;
  Html out{"<!doctype html>\n<html lang=\"", tag_of(words.language()), "\">\n<head>\n<meta charset=\"utf-8\">\n",
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
           "<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n<title>"};
  if (wrong) out.add({words(Message::title_error), " "});
  out.add({words(frame.title), " · ", site.name, "</title>\n"});
  out.add({"<link rel=\"stylesheet\" href=\"", site.assets.url("style.css"), "\">\n"});
  if (!site.assets.theme_css().empty()) out.add({"<link rel=\"stylesheet\" href=\"", site.assets.theme_css(), "\">\n"});
  out.add({"<link rel=\"icon\" href=\"data:,\">\n"});
  if (frame.passkeys) out.add({"<script type=\"module\" src=\"", site.assets.url("passkeys.js"), "\"></script>\n"});
  if (frame.submits) out.add({"<script type=\"module\" src=\"", site.assets.url("submit.js"), "\"></script>\n"});
  out.add({"</head>\n"});
  if (account) {
    out.add({"<body class=\"wide\">\n"});
  } else {
    out.add({"<body>\n"});
  }
  out.add({"<a class=\"skip\" href=\"#main\">", words(Message::skip), "</a>\n", render_header(site, frame)});
  if (account) out.add({render_navigation(site, frame)});
  out.add({"<main id=\"main\" tabindex=\"-1\">\n<h1>", words(frame.title), "</h1>\n"});
  if (frame.alert) out.add({render_alert(*frame.alert)});
  out.add({content, "</main>\n</body>\n</html>\n"});
  return out.text();
}

Html render_field(const Words& words, const Field& field) {
  const bool wrong = field.alert != nullptr && *field.alert && (*field.alert)->tone == Alert::Tone::error &&
                     (*field.alert)->field == field.name;
  const std::string_view hint = field.hint ? words(*field.hint) : field.hint_text;
  Html out{"<div class=\"field\"><label for=\"", field.name, "\">", words(field.label), "</label>\n"};
  if (!hint.empty()) out.add({"<p class=\"hint\" id=\"", field.name, "-hint\">", hint, "</p>\n"});
  if (wrong) out.add({"<p class=\"wrong\" id=\"", field.name, "-error\">", (*field.alert)->text, "</p>\n"});
  out.add({"<input id=\"", field.name, "\" name=\"", field.name, "\""});
  if (!field.value.empty()) out.add({" value=\"", field.value, "\""});
  out.add({field.attributes});
  if (wrong) out.add({" aria-invalid=\"true\""});
  if (wrong || !hint.empty()) {
    out.add({" aria-describedby=\""});
    if (!hint.empty()) out.add({field.name, "-hint"});
    if (wrong && !hint.empty()) out.add({" "});
    if (wrong) out.add({field.name, "-error"});
    out.add({"\""});
  }
  return out.add({"></div>\n"});
}

Html hidden(std::string_view name, std::string_view value) {
  return Html{"<input type=\"hidden\" name=\"", name, "\" value=\"", value, "\">\n"};
}

Html checkbox(const Words&, std::string_view name, std::string_view label) {
  return Html{"<div class=\"check\"><input type=\"checkbox\" id=\"",
              name,
              "\" name=\"",
              name,
              "\" value=\"1\"><label for=\"",
              name,
              "\">",
              label,
              "</label></div>\n"};
}

Html button(const Words& words, Message label, ButtonLook look, std::string_view name, std::string_view value,
            std::string_view about) {
  Html out{"<button type=\"submit\""};
  if (look == ButtonLook::secondary) out.add({" class=\"secondary\""});
  if (look == ButtonLook::danger) out.add({" class=\"danger\""});
  if (!name.empty()) out.add({" name=\"", name, "\" value=\"", value, "\""});
  out.add({">", words(label)});
  if (!about.empty()) out.add({"<span class=\"unseen\"> ", about, "</span>"});
  return out.add({"</button>\n"});
}

Html open_form(const FormStart& form) {
  Html out{"<form method=\"post\" action=\"", form.site.base, form.path, "\">\n", hidden("csrf", form.csrf)};
  if (!form.flow.empty()) out.add({hidden("flow", form.flow)});
  return out;
}

Html link(const Site& site, std::string_view path, std::string_view text) {
  return Html{"<a href=\"", site.base, path, "\">", text, "</a>"};
}

Html paragraph(std::string_view text) { return Html{"<p>", text, "</p>\n"}; }

}  // namespace gatehouse::identity
