#pragma once
// Signing in, apart from its HTML: which step comes next, and whether what was typed is right.
//
//   password ──right──> factor (when the user has one, or somebody demands one) ──right──> done ──finish──> session
//      │                   └─ has none, and one is demanded ──> enrol ──> done
//      └─ a passkey with user verification instead: done, and it counts as both factors
//
// The state is the Interaction; each call brings it forward and writes it (sessions/interactions.h). The session begins
// in `finish`, and only there.
// What an answer tells: an unknown name, a disabled account and a wrong password are the same answer after the same
// work. Whether a name exists shows nowhere before a password was right.
// Thread safety: any thread; all calls block.
// amr (RFC 8176): pwd; otp (TOTP and codes by mail); sms; hwk or swk (a key that stays in its device, or a synced one),
// user (it verified its user); fed, which RFC 8176 does not have: an outside provider vouched (users/federation.h); mfa
// when there were two factors. Recovery codes: otp. Every act is an audit event:
// login.password, login.factor, login.finish, login.device, factor.add, factor.remove, …

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "identity/audit.h"
#include "identity/factors/enrolled.h"
#include "identity/sessions/interactions.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"
#include "identity/users/delivery.h"
#include "identity/users/passwords.h"
#include "identity/users/throttle.h"
#include "identity/visitor.h"

namespace gatehouse::identity {

enum class LoginStep : std::uint8_t { password, factor, enrol, done };

struct LoginAnswer {
  enum class Verdict : std::uint8_t {
    next,         // right: go on to `step`
    refused,      // wrong: say so, in the same words whatever was wrong; still at `step`
    wait,         // too many failures: nothing was tried. 429 with Retry-After
    busy,         // too many logins at once: 503
    gone,         // the interaction is over, or went on in another window: begin anew
    unavailable,  // the store or a sender did not answer: 503
  } verdict = Verdict::refused;
  LoginStep step = LoginStep::password;
  Duration retry_after{};  // of `wait`
};

struct FactorChoice {
  std::string id;
  FactorKind kind = FactorKind::totp;
  std::string label;
  std::string hint;  // "j…@example.org", "…4567"; of recovery codes how many are left; may be empty
};

struct SignedIn {
  StartedSession session;
  std::string return_to;
  bool new_device = false;               // somebody was told of it
  std::vector<std::string> set_cookies;  // whole Set-Cookie values: session and device
};

// What everything here works with; all of it outlives this.
struct AuthenticationParts {
  Accounts& accounts;
  PasswordService& passwords;
  Throttle& throttle;
  EnrolledFactors& factors;
  Sessions& sessions;
  Devices& devices;
  Interactions& interactions;
  Delivery& delivery;
  AuditTrail& audit;
  secrets::Keyring& keyring;
  const Clock& clock;
};

struct AuthenticationOptions {
  std::string issuer;                // "https://login.shop.example"
  std::string rp_id;                 // of WebAuthn: the issuer's host
  std::vector<std::string> origins;  // that WebAuthn takes: the issuer's, as a browser writes it
  std::string site;                  // what people read in messages and authenticators: "login.shop.example"
  bool email_codes = true;           // as a second factor
  bool sms_codes = true;
  Duration enrol_fresh = std::chrono::minutes(10);  // the newest proof that enrolling and removing need
};

class Authentication {
 public:
  static constexpr std::chrono::seconds kFreshPassword{600};  // old enough to add a first factor on its strength

  Authentication(const AuthenticationParts& parts, AuthenticationOptions options);

  // Where an interaction is: which page to show. `done`: call `finish`.
  Result<LoginStep> step(const Interaction& interaction);

  // An interaction that needs no password because the browser's session answers it (signed in late enough, the right
  // user, the factor fresh where one is demanded) is told by the provider, which then begins none. One that needs only
  // the factor (step-up) starts from the session (interactions.h).

  LoginAnswer password(Interaction& interaction, std::string_view login, std::string_view password,
                       const Visitor& visitor);

  // The user's factors, for the page at step `factor`. Best first: webauthn, totp, sms, email, recovery.
  Result<std::vector<FactorChoice>> choices(const Interaction& interaction);
  // `factor_id` of a choice of kind email or sms: sends a code, at most one in 30 s and 5 in an interaction.
  LoginAnswer send_code(Interaction& interaction, std::string_view factor_id, const Visitor& visitor);
  // `factor_id` of a choice of any kind but webauthn; may be empty: then it is tried against all that take what was
  // typed (six digits: TOTP and the code that was sent; longer: recovery codes).
  LoginAnswer code(Interaction& interaction, std::string_view factor_id, std::string_view code, const Visitor& visitor);

  // PublicKeyCredentialRequestOptions as JSON. At step `password`: a passkey without a name (`passwordless`), user
  // verification required. At step `factor`: the user's credentials. Ends a challenge that was given before.
  Result<std::string> webauthn_options(Interaction& interaction);
  // The browser's answer as JSON (PublicKeyCredential.toJSON).
  LoginAnswer webauthn(Interaction& interaction, std::string_view response, const Visitor& visitor);

  // At step `done`: the session begins, or goes on under a new token when the browser's session is this user's. A
  // second call for one interaction is `unexpected` with ErrorCode::conflict.
  Result<SignedIn> finish(const Interaction& interaction, bool remember_device, const Visitor& visitor);

 private:
  friend class Enrolment;
  friend class Federation;
  Status end_login(const Interaction& interaction);
  LoginAnswer failed(const Interaction& interaction, const ThrottleKey& key, std::string_view action,
                     std::string_view why, const Visitor& visitor);
  LoginAnswer proved(Interaction& interaction, std::string_view amr, bool factor);
  LoginAnswer written(Interaction& interaction);
  bool is_usable(const Factor& factor) const noexcept;
  Result<std::string> known_device(std::string_view user_id, const Visitor& visitor);  // its id; empty: none
  Result<StartedSession> begin_session(std::string_view user_id, const Proof& proof, const Visitor& visitor);
  bool tell_of_device(const User& user, std::string_view label, const Visitor& visitor);
  bool tell(const User& user, MessageKind kind, MessageFields fields);

  LoginAnswer send_code_to(Interaction& interaction, FactorKind kind, std::string_view address,
                           std::string_view purpose, const Visitor& visitor);
  Result<bool> is_sent_code(Interaction& interaction, std::string_view purpose, std::string_view code);
  Result<bool> is_code_of(Interaction& interaction, const Factor& factor, std::string_view typed);
  void tell_of_recovery(std::string_view user_id, const Factor& spent);
  Status give_challenge(Interaction& interaction, std::string_view purpose);
  Result<std::string> take_challenge(Interaction& interaction, std::string_view purpose);
  LoginAnswer refused_passkey(const Interaction& interaction, LoginStep where, std::string_view user_id,
                              std::string_view why, const Visitor& visitor);

  const AuthenticationParts parts_;
  const AuthenticationOptions options_;
  const SecretBytes code_key_, recovery_key_;
};

// Adding and removing factors. At step `enrol` of a login, or from the account page: there an interaction begins with
// `request` empty, filled by Authentication::start_from_session. All calls refuse (ErrorCode::denied) when the last
// proof is older than `enrol_fresh`, or was no second factor although the user has one.
class Enrolment {
 public:
  Enrolment(Authentication& authentication, const AuthenticationParts& parts, const AuthenticationOptions& options);

  struct Totp {
    std::string secret;  // base32 in groups of four, for typing
    std::string uri;     // otpauth://…: the page makes the QR code of it
  };
  Result<Totp> begin_totp(Interaction& interaction);
  // The seed that was begun, for showing the page again; nullopt: none was.
  std::optional<Totp> pending_totp(const Interaction& interaction) const;
  LoginAnswer confirm_totp(Interaction& interaction, std::string_view code, std::string_view label,
                           const Visitor& visitor);

  Result<std::string> begin_webauthn(Interaction& interaction);  // PublicKeyCredentialCreationOptions as JSON
  LoginAnswer confirm_webauthn(Interaction& interaction, std::string_view response, std::string_view label,
                               const Visitor& visitor);

  // Sends a code to `address` (an e-mail address or a phone number). ErrorCode::invalid: it is none; unavailable: there
  // is no way to send.
  Status begin_code(Interaction& interaction, FactorKind kind, std::string_view address, const Visitor& visitor);
  LoginAnswer confirm_code(Interaction& interaction, std::string_view code, const Visitor& visitor);

  // Ten codes, shown once; the old ones are void.
  Result<std::vector<std::string>> new_recovery_codes(const Interaction& interaction, const Visitor& visitor);

  // Refuses (ErrorCode::denied) the last factor of a user of whom one is demanded (`must_keep`); recovery codes go with
  // the last other factor.
  Status remove(const Interaction& interaction, std::string_view factor_id, bool must_keep, const Visitor& visitor);

 private:
  Result<UserPtr> fresh_user(const Interaction& interaction);
  LoginAnswer added(Interaction& interaction, NewFactor factor, std::string_view amr, const Visitor& visitor);

  Authentication& authentication_;
  const AuthenticationParts parts_;
  const AuthenticationOptions options_;
  const SecretBytes recovery_key_;
};

}  // namespace gatehouse::identity
