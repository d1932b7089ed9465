#pragma once
// Where tokens come back: userinfo (OIDC Core §5.3), introspection (RFC 7662), revocation (RFC 7009).
//
// Thread safety: any thread. `…_at_once` never block; nullopt: ask the other.

#include <optional>

#include "identity/provider/client_authentication.h"
#include "identity/provider/grants.h"
#include "identity/provider/proof_of_possession.h"
#include "identity/provider/subjects.h"
#include "identity/provider/tokens.h"
#include "identity/users/accounts.h"

namespace gatehouse::identity {

struct TokenUseParts {
  const ClientAuthenticator& authenticator;
  const ProofOfPossession& proofs;
  Clients& clients;
  Grants& grants;
  Tokens& tokens;
  Accounts& accounts;
  Revocations& revocations;
};

class TokenUse {
 public:
  explicit TokenUse(TokenUseParts parts) : p_(parts) {}

  WebResponse userinfo(const WebRequest& request);
  std::optional<WebResponse> userinfo_at_once(const WebRequest& request);
  WebResponse introspect(const WebRequest& request);
  std::optional<WebResponse> introspect_at_once(const WebRequest& request);
  WebResponse revoke(const WebRequest& request);

 private:
  using TokenPtr = std::shared_ptr<const VerifiedToken>;
  OAuthResult<TokenPtr> presented(const WebRequest& request) const;
  OAuthResult<UserPtr> owner(const VerifiedToken& token);
  WebResponse introspection_of(const Client& client, std::string_view text, const WebRequest& request);
  bool may_know(const Client& client, const VerifiedToken& token) const noexcept;

  TokenUseParts p_;
};

}  // namespace gatehouse::identity
