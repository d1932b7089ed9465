#pragma once
// How people come in and come back: invitations, proof of an address, a forgotten password, the first administrator.
//
// Thread safety: any thread; all calls block.
// `request_reset` does the same work and gives the same answer whether or not there is somebody of that name: what
// differs happens behind the queue of the sender.
// Each is an audit event: user.invite, user.accept, user.reset.request, user.reset, user.verify_email,
// user.first_admin.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/audit.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"
#include "identity/users/delivery.h"
#include "identity/users/passwords.h"
#include "identity/users/throttle.h"
#include "identity/users/tickets.h"
#include "identity/visitor.h"

namespace gatehouse::identity {

// The role that may administer everything.
inline constexpr std::string_view kAdminRole = "gatehouse-admin";

struct RegistrationParts {
  store::Database& database;
  Accounts& accounts;
  PasswordService& passwords;
  Sessions& sessions;
  Devices& devices;
  Tickets& tickets;
  Throttle& throttle;
  Delivery& delivery;
  AuditTrail& audit;
  const Clock& clock;
};

// Where the pages are, for the links in messages: `issuer` + path + "?ticket=…".
struct RegistrationOptions {
  std::string issuer;  // without `/` at its end
  std::string site;
  std::string invite_path = "/invite", verify_path = "/verify-email", reset_path = "/reset",
              first_admin_path = "/first-admin";
};

class Registration {
 public:
  Registration(const RegistrationParts& parts, RegistrationOptions options);

  struct Invited {
    UserPtr user;
    std::string link;  // for whoever invites to hand over, when no mail can be sent
    bool mailed = false;
  };
  // ErrorCode::conflict: taken; invalid: which field.
  Result<Invited> invite(const NewUser& wanted, std::string_view actor);
  Result<Invited> invite_again(std::string_view user_id, std::string_view actor);

  // What the page of a link shows; nullopt: the link is no good (any more).
  Result<std::optional<Ticket>> look(TicketKind kind, std::string_view token) {
    return parts_.tickets.look(kind, token);
  }

  struct Answer {
    enum class Verdict : std::uint8_t { done, bad_link, bad_password, conflict, invalid, busy, unavailable } verdict;
    PasswordProblem problem = PasswordProblem::none;  // of bad_password; the link is still good
    std::string user_id;
    // Whole Set-Cookie values. Whoever came by a link to their mailbox is no stranger: the browser becomes a known
    // device, so that nobody's guessing keeps them out.
    std::vector<std::string> set_cookies;
  };
  // Sets the password; the address that the link was sent to, if it was, counts as proved.
  Answer accept_invitation(std::string_view token, std::string_view password, const Visitor& visitor);
  Answer verify_email(std::string_view token, const Visitor& visitor);
  // Ends all sessions and forgets remembered devices. The second factor stays: a mailbox alone is no way around it.
  Answer reset_password(std::string_view token, std::string_view password, const Visitor& visitor);
  // From the account page; the caller has seen a fresh proof. Ends all sessions but `sid`.
  Answer change_password(std::string_view user_id, std::string_view password, std::string_view sid,
                         const Visitor& visitor);

  // Always the same to its caller, whether there is such a user or not; a name or an address that asks too often gets
  // no further mail. ErrorCode::unavailable when the store is gone.
  Status request_reset(std::string_view login, const Visitor& visitor);
  Status send_verification(std::string_view user_id, std::string_view email);

  // The link with which the first administrator is made, while there is no active one; nullopt: there is one.
  Result<std::optional<std::string>> first_admin_link();
  Answer create_first_admin(std::string_view token, std::string_view username, std::string_view email,
                            std::string_view password, const Visitor& visitor);

 private:
  std::string link(std::string_view path, std::string_view token) const;
  Status mail(MessageKind kind, const User& user, MessageFields fields);
  Status send_link(MessageKind kind, TicketKind ticket, const User& user, std::string_view token);
  // The user of a link that is still good, and the hash of a password that may be taken; else why not.
  struct Prepared {
    UserPtr user;
    std::string email;  // that the link was sent to
    std::string hash;
  };
  tl::expected<Prepared, Answer> prepare(TicketKind kind, std::string_view token, std::string_view password);
  Answer known_device(Answer answer, std::string_view user_id, const Visitor& visitor);

  const RegistrationParts parts_;
  const RegistrationOptions options_;
};

}  // namespace gatehouse::identity
