#pragma once
// Links that let somebody do one thing once: accept an invitation, prove an address, choose a new password, become the
// first administrator.
//
// A ticket is 256 random bits in a URL; the store has its hash. It is good once, until it expires, and while the user
// is as it was when it was issued: a new password, another address, a disabled account make it void. Thread safety: any
// thread; all calls block for the store.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "identity/users/accounts.h"
#include "secrets/keyring.h"
#include "store/database.h"

namespace gatehouse::identity {

enum class TicketKind : std::uint8_t { invite, verify_email, reset, first_admin };
std::string_view name_of(TicketKind kind) noexcept;

struct Ticket {
  TicketKind kind = TicketKind::invite;
  std::string user_id;  // empty for first_admin
  std::string email;    // verify_email: the address that it proves
  std::int64_t expires_s = 0;
};

class Tickets {
 public:
  static constexpr Duration kInvite = std::chrono::hours(24 * 7);
  static constexpr Duration kVerifyEmail = std::chrono::hours(24);
  static constexpr Duration kReset = std::chrono::minutes(30);
  static constexpr Duration kFirstAdmin = std::chrono::hours(24);
  static constexpr std::int64_t kOpenMax = 5;  // of one kind for one user; the oldest gives way

  Tickets(store::Database& database, secrets::Keyring& keyring, Accounts& accounts, const Clock& clock)
      : database_(database), keyring_(keyring), accounts_(accounts), clock_(clock) {}

  // The token. `user` is null for first_admin.
  Result<std::string> issue(TicketKind kind, const User* user, std::string_view email = {});
  // Is it good? For the page that shows the form; uses nothing up. nullopt: unknown, used, expired, void.
  Result<std::optional<Ticket>> look(TicketKind kind, std::string_view token);
  // Uses it up. Of any number of callers, one gets it.
  Result<std::optional<Ticket>> use(TicketKind kind, std::string_view token);

  Status revoke_all(std::string_view user_id);
  Status remove_expired();  // now and then

 private:
  Result<std::optional<Ticket>> open(TicketKind kind, std::string_view token, const store::Row& row);

  store::Database& database_;
  secrets::Keyring& keyring_;
  Accounts& accounts_;
  const Clock& clock_;
};

}  // namespace gatehouse::identity
