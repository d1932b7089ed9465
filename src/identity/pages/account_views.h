#pragma once
// The HTML of one's own account, and of the links that mails bring.
//
// Thread safety: pure functions; any thread. Views live for the call.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/factors/enrolled.h"
#include "identity/pages/login_views.h"
#include "identity/pages/page.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"

namespace gatehouse::identity {

struct AccountView {
  const User& user;
  std::string_view csrf;
  std::optional<Alert> alert = {};
};
struct AccountCounts {
  std::size_t sessions = 0, factors = 0, applications = 0;
};
std::string render_account(const Site& site, const Words& words, const AccountView& view, const AccountCounts& counts);
std::string render_sessions(const Site& site, const Words& words, const AccountView& view,
                            const std::vector<Session>& sessions, std::string_view current);
std::string render_factors(const Site& site, const Words& words, const AccountView& view,
                           const std::vector<Factor>& factors);
std::string render_rename(const Site& site, const Words& words, const AccountView& view, const Factor& factor);

struct ApplicationRow {
  std::string id, name, host;
  std::vector<std::string> scopes;
  std::int64_t since_s = 0;
};
std::string render_applications(const Site& site, const Words& words, const AccountView& view,
                                const std::vector<ApplicationRow>& applications);
struct LoginRow {
  std::string provider, issuer, subject;
  std::int64_t since_s = 0;
};
std::string render_logins(const Site& site, const Words& words, const AccountView& view,
                          const std::vector<LoginRow>& logins, const std::vector<FederationButton>& providers);
std::string render_password(const Site& site, const Words& words, const AccountView& view, std::size_t length_min);
// `profile`: what was typed, when it is shown again.
std::string render_profile(const Site& site, const Words& words, const AccountView& view, const Profile& profile);

// What a scope lets an application do, in plain words; the operator's own scopes by their name.
Html scope_list(const Site& site, const Words& words, const std::vector<std::string>& scopes);

// Links
std::string render_reset_request(const Site& site, const Words& words, std::string_view csrf, std::string_view username,
                                 const std::optional<Alert>& alert);
struct NewPasswordView {
  std::string_view path;  // "/reset", "/invite", "/first-admin"
  std::string_view ticket, csrf;
  std::string_view username;  // shown, so that password managers keep the pair; first administrator: chosen
  std::string_view email;     // first administrator
  bool choose_name = false;
  std::size_t length_min = 8;
  Message title, text, submit;
  std::optional<Alert> alert = {};
};
std::string render_new_password(const Site& site, const Words& words, const NewPasswordView& view);
std::string render_verify_email(const Site& site, const Words& words, std::string_view csrf, std::string_view ticket,
                                std::string_view email);
// A page that only says something, with one way on; `path` empty: none.
struct NoticeView {
  Message title;
  std::string text;
  std::string_view path = {};
  std::optional<Message> link = {};
  std::string_view request_id = {};
};
std::string render_notice(const Site& site, const Words& words, const NoticeView& view);

}  // namespace gatehouse::identity
