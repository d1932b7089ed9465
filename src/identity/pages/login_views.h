#pragma once
// The HTML of signing in: password, second factor, adding a factor. What is shown is decided by the handlers.
//
// Thread safety: pure functions; any thread. Views live for the call.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/pages/page.h"
#include "identity/users/authentication.h"

namespace gatehouse::identity {

// An outside provider that one may sign in with.
struct FederationButton {
  std::string id, name;
};

struct LoginView {
  std::string_view flow, csrf;
  std::string_view username;     // what the field is filled with
  bool same_user = false;        // step-up: the field is fixed
  std::string_view client_name;  // what for; empty: our own pages
  bool can_reset = false;
  std::string_view passkey_options;  // JSON; empty: no passkeys
  const std::vector<FederationButton>* federation = nullptr;
  std::optional<Alert> alert;
};
std::string render_login(const Site& site, const Words& words, const LoginView& view);

struct FactorView {
  std::string_view flow, csrf;
  std::string_view username, client_name;
  bool step_up = false;  // the session has a user already, who has to prove it again
  const std::vector<FactorChoice>& choices;
  std::string_view chosen;           // id of the choice that is shown; one of `choices`
  bool sent = false;                 // a code is on its way to it
  std::string_view passkey_options;  // JSON, when the chosen one is of WebAuthn
  int remember_days = 0;             // 0: devices are not remembered
  std::optional<Alert> alert;
};
std::string render_factor(const Site& site, const Words& words, const FactorView& view);

// Where a factor is being added: in a login that demands one, or from the account.
struct EnrolView {
  std::string_view flow, csrf;
  std::string_view base;  // "/login/enrol" or "/account/factors/add"
  std::string_view user;  // username
  bool demanded = false;
  std::optional<Alert> alert;
};
struct EnrolWays {
  bool totp = true, webauthn = true, email = false, sms = false;
};
std::string render_enrol_choice(const Site& site, const Words& words, const EnrolView& view, const EnrolWays& ways);
std::string render_enrol_totp(const Site& site, const Words& words, const EnrolView& view, std::string_view secret,
                              const Html& qr_code);
std::string render_enrol_webauthn(const Site& site, const Words& words, const EnrolView& view,
                                  std::string_view options);
// `fixed`: the address is the proved one of the account, and no other may be typed.
std::string render_enrol_address(const Site& site, const Words& words, const EnrolView& view, FactorKind kind,
                                 std::string_view address, bool fixed);
std::string render_enrol_code(const Site& site, const Words& words, const EnrolView& view, FactorKind kind,
                              std::string_view address);
// Shown once. `next`: where the button leads.
std::string render_recovery_codes(const Site& site, const Words& words, std::string_view user,
                                  const std::vector<std::string>& codes, std::string_view next);

Message name_of_kind(FactorKind kind) noexcept;

}  // namespace gatehouse::identity
