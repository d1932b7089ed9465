#pragma once
// Clients that register themselves (RFC 7591), where the operator lets them: with a token, or anybody.
//
// What comes is judged as what administrators write (client.h), after members that nobody here knows are left out
// (RFC 7591 §2). Whatever is registered so asks its users for consent, needs PKCE, has no roles and no services; its
// `self_registered` says where it came from. Without a token, besides: the code flow and refresh tokens alone, the
// standard scopes alone, and no address that we would call (`jwks_uri`, `backchannel_logout_uri`), which could be one
// of the private network.
// Slowed down by address; at most kClientsMax of them. Management (RFC 7592) is the operator's.
// Thread safety: any thread; blocks for the store.

#include <string>

#include "base/secret_bytes.h"
#include "codec/json.h"
#include "identity/audit.h"
#include "identity/provider/clients.h"
#include "identity/provider/oauth_error.h"
#include "identity/users/throttle.h"
#include "identity/web.h"

namespace gatehouse::identity {

struct RegistrationPolicy {
  enum class Who : std::uint8_t { nobody, token, anybody } who = Who::nobody;
  SecretBytes token;
};

class RegistrationEndpoint {
 public:
  static constexpr std::int64_t kClientsMax = 10'000;

  RegistrationEndpoint(RegistrationPolicy policy, store::Database& database, Clients& clients, AuditTrail& audit,
                       const Clock& clock);

  bool is_on() const noexcept { return policy_.who != RegistrationPolicy::Who::nobody; }
  WebResponse handle(const WebRequest& request);

 private:
  OAuthResult<void> admit(const WebRequest& request, const ThrottleKey& key);
  OAuthResult<NewClient> read(std::string_view body) const;
  OAuthResult<void> check_room();

  const RegistrationPolicy policy_;
  store::Database& database_;
  Clients& clients_;
  AuditTrail& audit_;
  Throttle throttle_;
};

}  // namespace gatehouse::identity
