#pragma once
// The frame around every page, and the parts of forms.
//
// A page has a title, one heading, a skip link, landmarks (header, nav, main, footer) and the language's tag. An error
// stands in a summary at the top (role=alert) that links to its field, and beside the field (aria-describedby); the
// title says so, too, because that is what a screen reader reads first.
// Thread safety: values; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/pages/assets.h"
#include "identity/pages/html.h"
#include "identity/pages/messages.h"

namespace gatehouse::identity {

// The same for all pages; outlives them.
struct Site {
  const Assets& assets;
  std::string base;  // the issuer's path without `/` at its end: "", "/login"
  std::string name;
  bool linked_logins = false;                                    // the account has a page of them
  std::vector<std::pair<std::string, std::string>> scopes = {};  // of the operator's own: name, plain words
};

struct Alert {
  enum class Tone : std::uint8_t { error, success, notice } tone = Tone::error;
  std::string text;
  std::string_view field = {};  // the id of the field that it is about; empty: none
};

enum class AccountTab : std::uint8_t { none, overview, sessions, factors, logins, applications, password, profile };

struct PageFrame {
  Words words;
  Message title;
  std::optional<Alert> alert = {};
  AccountTab tab = AccountTab::none;  // none: a narrow page with one form
  std::string_view user = {};         // who is signed in, on account pages
  bool passkeys = false;              // loads the script
  bool submits = false;               // loads the script that sends the form by itself
};

// The whole document. `content` goes below the heading.
std::string render_page(const Site& site, const PageFrame& frame, const Html& content);

struct Field {
  std::string_view name;  // also its id
  Message label;
  std::string_view value = {};
  Html attributes = {};  // literals: type, autocomplete, inputmode, …
  std::optional<Message> hint = {};
  std::string_view hint_text = {};  // instead of `hint`
  const std::optional<Alert>* alert = nullptr;
};
Html render_field(const Words& words, const Field& field);
Html hidden(std::string_view name, std::string_view value);
Html checkbox(const Words& words, std::string_view name, std::string_view label);

enum class ButtonLook : std::uint8_t { primary, secondary, danger };
// `described_by`: what the button is about, when several say the same ("Remove" … "YubiKey").
Html button(const Words& words, Message label, ButtonLook look, std::string_view name = {}, std::string_view value = {},
            std::string_view about = {});

// `<form method="post" action="base + path">` with its hidden fields.
struct FormStart {
  const Site& site;
  std::string_view path;
  std::string_view csrf;
  std::string_view flow = {};
};
Html open_form(const FormStart& form);
Html link(const Site& site, std::string_view path, std::string_view text);
Html paragraph(std::string_view text);

}  // namespace gatehouse::identity
