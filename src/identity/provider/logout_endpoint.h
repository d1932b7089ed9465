#pragma once
// /logout (OIDC RP-Initiated Logout 1.0), and telling the clients of a session that it is over (OIDC Back-Channel
// Logout 1.0).
//
// Thread safety: any thread; all calls block for the store.

#include <functional>
#include <mutex>
#include <string>

#include "identity/audit.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/grants.h"
#include "identity/provider/screens.h"
#include "identity/provider/subjects.h"
#include "identity/provider/tokens.h"
#include "identity/sessions/interactions.h"
#include "identity/sessions/sessions.h"

namespace gatehouse::identity {

struct LogoutParts {
  Clients& clients;
  const Tokens& tokens;
  const Subjects& subjects;
  Accounts& accounts;
  Sessions& sessions;
  const FormTokens& form_tokens;
  Screens& screens;
  AuditTrail& audit;
};

class LogoutEndpoint {
 public:
  explicit LogoutEndpoint(LogoutParts parts) : p_(parts) {}
  WebResponse handle(const WebRequest& request);

 private:
  WebResponse end(const WebRequest& web, const Session& session, const std::string& onward);
  OAuthResult<std::string> onward(const codec::Form& form, const std::optional<Tokens::Hint>& hint);
  bool is_of_session(const Tokens::Hint& hint, const Session& session);

  LogoutParts p_;
};

struct BackchannelParts {
  store::Database& database;
  Clients& clients;
  const Tokens& tokens;
  const Subjects& subjects;
  UsedOnce& used;
};

// Watches sessions end, wherever that was done, and tells their clients. One gateway of several tells of each.
class BackchannelLogout {
 public:
  // Posts `logout_token` to `uri` sometime; must not block for long.
  using Send = std::function<void(const std::string& uri, const std::string& logout_token)>;
  BackchannelLogout(BackchannelParts parts, Send send) : p_(parts), send_(std::move(send)) {}

  // About every second, and after a logout. Sessions that ended before the first call, which belongs to the start, are
  // no business of this process. Thread safety: any thread, one after the other.
  Status tick();

 private:
  Status tell_clients_of(const std::string& session_id);

  BackchannelParts p_;
  Send send_;
  std::mutex mutex_;
  std::optional<std::int64_t> last_;  // number of the last revocation that was seen
};

}  // namespace gatehouse::identity
