#pragma once
// A visit to our pages that takes several steps (sign in, prove a factor, enrol, consent) and then goes on to where it
// came from: what it knows from page to page.
//
// Its id is in the URLs and means nothing by itself: only the browser that began it, known by the cookie
// `__Host-gatehouse-browser`, finds it. The store has it sealed, under the hash of its id.
// Two requests that bring the same state forward: one wins, `update` tells the other (ErrorCode::conflict). What counts
// tries (codes) or is good once (challenges) relies on this: write first, judge afterwards.
// Thread safety: any thread; all calls block for the store.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "base/secret_bytes.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

struct Interaction {
  std::string id;  // 43 characters of base64url: for the URL

  // What it is for; set by whoever begins it.
  std::string return_to;               // a path below the issuer to go on to afterwards; `{flow}` in it becomes `id`
  std::string request;                 // the authorization request as a form; empty: our own pages
  std::string client_id, client_name;  // empty: our own pages
  bool wants_factor = false;           // a second factor is demanded, fresh in this interaction
  std::int64_t auth_after_s = 0;       // who signed in before this moment does it again (prompt=login, max_age)
  std::string user_hint;               // what the login form is filled with
  std::string must_be_user;            // a user's id: nobody else may prove it (step-up)
  std::string locale;                  // "de": of its pages and messages

  // How far it is; users/authentication.h brings it forward.
  std::string user_id;  // who the password named; not yet signed in
  std::string amr;      // proved so far, separated by spaces
  std::int64_t password_at_s = 0;
  std::int64_t factor_at_s = 0;
  bool signed_in = false;            // the session has begun; the authorization request may go on
  bool device_skips_factor = false;  // a remembered device stood in for the factor
  std::string challenge;             // of WebAuthn, base64url; good for one answer
  std::string challenge_purpose;     // "login", "passwordless", "enrol"
  std::int64_t challenge_at_s = 0;
  std::string code_factor;                              // which factor a code was sent for
  std::string code_state;                               // what users/authentication.h keeps of it
  std::string enrol_kind, enrol_secret, enrol_address;  // a factor that is being added
  std::string outside, outside_state;                   // an outside provider that was asked, and what it has to bring
  std::int64_t outside_at_s = 0;
  bool links = false;  // its login is to be linked with `must_be_user`, who is signed in

  std::int64_t expires_s = 0;
  std::uint64_t version = 0;      // for `update`
  std::string browser_hash = {};  // of the cookie
};

struct Session;
// A step-up: the session's user, who has proved what the session says, and where a factor is demanded proves it anew.
void start_from_session(Interaction& interaction, const Session& session);

class Interactions {
 public:
  static constexpr Duration kLifetime = std::chrono::minutes(30);

  Interactions(store::Database& database, secrets::Keyring& keyring, const Clock& clock)
      : database_(database), keyring_(keyring), clock_(clock) {}

  struct Begun {
    Interaction interaction;
    std::string browser;  // the cookie's value: the given one when it is good, else a new one, to be set
  };
  // `browser`: the cookie's value, may be empty.
  Result<Begun> begin(Interaction wanted, std::string_view browser);
  // nullopt: unknown, expired, finished, or begun in another browser.
  Result<std::optional<Interaction>> find(std::string_view id, std::string_view browser);
  // Writes it and raises `version`. ErrorCode::conflict: another request was faster, or it is finished.
  Status update(Interaction& interaction);
  // It is over; false: another request has finished it already, and whatever it gives is not given twice.
  Result<bool> finish(const Interaction& interaction);

  Status remove_expired();  // now and then

 private:
  store::Database& database_;
  secrets::Keyring& keyring_;
  const Clock& clock_;
};

// Proves that a form came from a page of ours in the same browser: a keyed hash of a cookie (the browser's, or the
// session's) and of what the form acts on (an interaction's id, "account", …). Constant while both are.
class FormTokens {
 public:
  explicit FormTokens(const secrets::Keyring& keyring);
  std::string make(std::string_view cookie, std::string_view context) const;
  // In constant time; false for an empty cookie.
  bool matches(std::string_view token, std::string_view cookie, std::string_view context) const;

 private:
  const SecretBytes key_;
};

}  // namespace gatehouse::identity
