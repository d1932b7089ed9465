#pragma once
// Signing in through somebody else's OpenID provider, and whose of its logins is whose here.
//
//   begin ──> the provider ──> finish ──> linked with a user: as after a password, the second factor is still to come
//                                    ├──> create_users, and an address that it verified and nobody has: a new user
//                                    └──> nobody: sign in another way, and link it
//
// What it holds to: a login is told apart by issuer and subject (OpenID Connect Core §5.7), never by an e-mail address:
// an address that somebody else's provider says is no proof for an account that is here already. What comes back is
// taken once, within ten minutes, in the browser that began it, for the provider that it was begun with; nonce and PKCE
// verifier come out of the state by a key of ours, so that nobody can bring a code of another login (RFC 9700 §2.1.1,
// §4.5). Each provider has a redirect URI of its own, and says who it is where it can (RFC 9207; RFC 9700 §4.4.2).
// A disabled user and no user are answered alike.
// Thread safety: any thread; all calls block, `finish` for what the provider takes.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/users/authentication.h"

namespace gatehouse::identity {

// What a provider says about whoever signed in there, verified.
struct OutsideIdentity {
  std::string issuer, subject;
  std::string email, name, given_name, family_name, locale;
  bool email_verified = false;
  std::optional<std::int64_t> auth_s;  // when it asked for a proof
};

struct OutsideAttempt {
  std::string redirect_uri, state, nonce, verifier;
  bool anew = false;  // it has to ask for a proof, however lately it did
};

// The providers that are configured, and the way to them; the app has one. Calls but `providers` may block.
class OutsideLogin {
 public:
  struct Provider {
    std::string id, name, issuer;  // "work", "Example Corp"
    bool create_users = false;
  };
  virtual ~OutsideLogin() = default;
  virtual const std::vector<Provider>& providers() const noexcept = 0;
  // Where the browser goes. ErrorCode::unavailable: nothing is known of the provider yet.
  virtual Result<std::string> authorization_url(std::string_view id, const OutsideAttempt& attempt) = 0;
  // Is an answer with this `iss` the provider's (RFC 9207 §2.4)? ErrorCode::denied: no.
  virtual Status check_issuer(std::string_view id, std::optional<std::string_view> iss) = 0;
  // ErrorCode::denied, invalid: nothing is proved; exhausted: too many at once; unavailable, timeout: no answer.
  virtual Result<OutsideIdentity> redeem(std::string_view id, std::string_view code, const OutsideAttempt& attempt) = 0;
};

struct LinkedLogin {
  std::string issuer, subject;
  std::int64_t created_s = 0;
};

// Found by a keyed hash; the subject itself is sealed. Programs of before left links in the clear in another table:
// they count as well, and are moved when they are touched, or by `move_old`.
class LinkedLogins {
 public:
  static constexpr std::size_t kPerUserMax = 20;

  LinkedLogins(store::Database& database, secrets::Keyring& keyring, const Clock& clock)
      : database_(database), keyring_(keyring), key_(keyring.derive("linked logins")), clock_(clock) {}

  Result<std::optional<std::string>> user_of(std::string_view issuer, std::string_view subject);
  // ErrorCode::conflict: it is another user's; exhausted: the user has too many.
  Status link(std::string_view user_id, std::string_view issuer, std::string_view subject);
  Status link(store::Executor& in, std::string_view user_id, std::string_view issuer, std::string_view subject);
  Result<bool> unlink(std::string_view user_id, std::string_view issuer, std::string_view subject);
  Result<std::int64_t> unlink_all(std::string_view user_id);        // how many
  Result<std::vector<LinkedLogin>> list(std::string_view user_id);  // the oldest first
  Status move_old();                                                // a batch of what is left in the clear

 private:
  store::Bytes hash_of(std::string_view issuer, std::string_view subject) const;
  Result<bool> insert(store::Executor& in, std::string_view user_id, std::string_view issuer, std::string_view subject,
                      std::int64_t created_s);
  // The rows of the old table that `condition` is true of.
  Result<std::size_t> move(store::Executor& in, std::string_view condition, const store::Parameters& parameters);
  Status move_one(store::Executor& in, std::string_view issuer, std::string_view subject);

  store::Database& database_;
  secrets::Keyring& keyring_;
  const SecretBytes key_;
  const Clock& clock_;
};

struct OutsideAnswer {
  enum class Verdict : std::uint8_t {
    next,         // signed in: go on to `step`
    linked,       // the login is now the user's
    taken,        // it is another user's
    nobody,       // no user who may sign in has it
    declined,     // the provider says no: its user changed her mind
    not_proved,   // what came is not of this login, or does not verify
    gone,         // the login is over: it took too long, or was answered already
    wait,         // too many failures
    busy,         // too many at once
    down,         // the provider does not answer
    unavailable,  // the store does not
  } verdict = Verdict::not_proved;
  LoginStep step = LoginStep::password;
  Duration retry_after{};  // of `wait`
};

class Federation {
 public:
  static constexpr Duration kAttemptLifetime = std::chrono::minutes(10);

  Federation(Authentication& authentication, const AuthenticationParts& parts, store::Database& database,
             OutsideLogin& outside, std::string issuer);

  const std::vector<OutsideLogin::Provider>& providers() const noexcept { return outside_.providers(); }
  const OutsideLogin::Provider* find(std::string_view id) const noexcept;  // null: there is none

  // Where the browser goes: the answer comes to `redirect_uri`. An attempt that was begun before is over.
  Result<std::string> begin(Interaction& interaction, const OutsideLogin::Provider& provider);

  // The id of the interaction that a `state` belongs to; empty: none.
  static std::string_view interaction_of(std::string_view state) noexcept;
  struct Returned {
    std::string_view state, code, error;
    std::optional<std::string_view> iss;
  };
  OutsideAnswer finish(Interaction& interaction, const OutsideLogin::Provider& provider, const Returned& returned,
                       const Visitor& visitor);

  // Of the account page. ErrorCode::denied: it is the only way in that the user has left.
  Result<bool> unlink(const User& user, std::string_view issuer, std::string_view subject, const Visitor& visitor);
  LinkedLogins& linked() noexcept { return linked_; }

 private:
  OutsideAttempt attempt_of(const Interaction& interaction, const OutsideLogin::Provider& provider) const;
  OutsideAnswer refused(const Interaction& interaction, const OutsideLogin::Provider& provider,
                        OutsideAnswer::Verdict verdict, std::string_view why, const Visitor& visitor);
  OutsideAnswer link(Interaction& interaction, const OutsideLogin::Provider& provider, const OutsideIdentity& who,
                     const Visitor& visitor);
  OutsideAnswer sign_in(Interaction& interaction, const OutsideLogin::Provider& provider, const OutsideIdentity& who,
                        const Visitor& visitor);
  Result<UserPtr> user_of(const OutsideLogin::Provider& provider, const OutsideIdentity& who, bool may_create,
                          const Visitor& visitor);
  Result<UserPtr> create(const OutsideLogin::Provider& provider, const OutsideIdentity& who, const Visitor& visitor);

  Authentication& authentication_;
  const AuthenticationParts parts_;
  store::Database& database_;
  OutsideLogin& outside_;
  const std::string issuer_;  // ours
  const SecretBytes key_;
  LinkedLogins linked_;
};

}  // namespace gatehouse::identity
