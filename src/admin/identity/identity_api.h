#pragma once
// The part of the admin API that is about people and applications: users, groups, clients, sessions, the keys that sign
// tokens and those that seal what is stored, the audit trail (docs/identity-api.yaml).
//
// Thread safety: any thread; calls block for the store, some for a password hash, so they belong on a worker.
// Every change is an audit event of the caller's.

#include <string>
#include <string_view>
#include <vector>

#include "admin/service_sink.h"
#include "codec/json.h"
#include "identity/audit.h"
#include "identity/factors/enrolled.h"
#include "identity/provider/provider.h"
#include "identity/sessions/session_list.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"
#include "identity/users/federation.h"
#include "identity/users/passwords.h"
#include "identity/users/registration.h"
#include "secrets/keyring.h"
#include "secrets/reseal.h"

namespace gatehouse::admin {

struct IdentityParts {
  identity::Accounts& accounts;
  identity::Groups& groups;
  identity::PasswordService& passwords;
  identity::Registration& registration;
  identity::EnrolledFactors& factors;
  identity::Sessions& sessions;
  identity::Devices& devices;
  identity::Provider& provider;
  identity::AuditTrail& audit;
  secrets::Keyring& keyring;
  secrets::Resealer& resealer;
  std::string root_key_kind;  // "file", "environment", "passphrase"
  identity::LinkedLogins& logins;
  identity::SessionList& session_list;
};

class IdentityApi {
 public:
  explicit IdentityApi(IdentityParts parts) : p_(std::move(parts)) {}

  // Is it for this part? Then `answer` has one, 404 and 405 included.
  static bool serves(std::string_view path) noexcept;
  Answer answer(const Call& call);

 private:
  // A path in its pieces, and who calls.
  struct Asked {
    const Call& call;
    std::vector<std::string> pieces;  // of /v1/users/ada/roles/x: users, ada, roles, x
    std::string actor;
    codec::Json body;
  };
  Answer users(const Asked& asked);
  Answer user(const Asked& asked, const identity::User& user);
  Answer list_users(const Asked& asked);
  Answer create_user(const Asked& asked);
  Answer into_groups(const Asked& asked, const identity::UserPtr& user, const std::vector<std::string>& groups,
                     std::string_view link);
  Answer change_user(const Asked& asked, const identity::User& user);
  Answer user_role(const Asked& asked, const identity::User& user);
  Answer user_factors(const Asked& asked, const identity::User& user);
  Answer user_logins(const Asked& asked, const identity::User& user);
  Answer groups(const Asked& asked);
  Answer create_group(const Asked& asked);
  Answer group_member(const Asked& asked);
  Answer clients(const Asked& asked);
  Answer create_client(const Asked& asked);
  Answer change_client(const Asked& asked);
  Answer sessions(const Asked& asked);
  Answer list_sessions(const Asked& asked);
  Answer end_sessions_of(const Asked& asked, const identity::User& user);
  Answer signing_keys(const Asked& asked);
  Answer data_keys(const Asked& asked);
  Answer show_data_keys();
  Answer audit_events(const Asked& asked);
  Result<identity::UserPtr> find_user(std::string_view id_or_name);
  Answer done(const Asked& asked, std::string_view action, std::string_view target, const Status& status,
              identity::AuditTrail::Details details = {});

  IdentityParts p_;
};

// Who the kernel or the token says that calls, for the audit trail: "admin:uid=0", "admin:token".
std::string actor_of(const Call& call);

}  // namespace gatehouse::admin
