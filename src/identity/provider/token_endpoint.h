#pragma once
// POST /token: every grant (RFC 6749 §4 to §6, RFC 8628 §3.4, RFC 8693), client authentication, binding of tokens to
// keys and certificates.
//
// Thread safety: any thread. `at_once` never blocks and answers what needs no store: client_credentials of a client
// that is remembered; everything else is `handle`'s.

#include <optional>

#include "identity/provider/claims.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/device_codes.h"
#include "identity/provider/grants.h"
#include "identity/provider/proof_of_possession.h"
#include "identity/provider/subjects.h"
#include "identity/provider/tokens.h"
#include "identity/sessions/sessions.h"
#include "identity/users/accounts.h"

namespace gatehouse::identity {

struct TokenEndpointParts {
  const ClientAuthenticator& authenticator;
  const ProofOfPossession& proofs;
  Grants& grants;
  DeviceCodes& devices;
  Tokens& tokens;
  Accounts& accounts;
  Sessions& sessions;
  const Subjects& subjects;
  const Revocations& revocations;
};

class TokenEndpoint {
 public:
  explicit TokenEndpoint(TokenEndpointParts parts) : p_(parts) {}

  WebResponse handle(const WebRequest& request);
  std::optional<WebResponse> at_once(const WebRequest& request);

 private:
  using ClientPtr = std::shared_ptr<const Client>;
  struct Call {
    const WebRequest& request;
    const codec::Form& form;
    const Client& client;
    Confirmation confirmation;
  };
  // What is answered with; texts are empty where there is none.
  struct Issued {
    std::string access_token, refresh_token, id_token;
    std::vector<std::string> scopes;
    std::uint32_t lifetime_s = 0;
    bool dpop = false, exchanged = false;
    std::string user;
  };
  using Answer = OAuthResult<Issued>;
  static WebResponse answer(const Answer& answer);

  Answer grant(const WebRequest& request, const codec::Form& form);
  Answer authorization_code(const Call& call);
  Answer refresh_token(const Call& call);
  Answer client_credentials(const Call& call) const;
  Answer device_code(const Call& call);
  Answer token_exchange(const Call& call);
  OAuthResult<void> check_presented(const Client& client, const Grants::Presented& presented, std::string_view what);
  OAuthResult<void> check_code_request(const Call& call, const Grants::Presented& presented) const;
  Answer issue(const Call& call, const Grant& grant, const GrantRequest& request, std::vector<std::string> scopes,
               std::vector<std::string> audiences);
  OAuthResult<std::vector<std::string>> narrowed_scopes(const Call& call,
                                                        const std::vector<std::string>& granted) const;
  OAuthResult<std::vector<std::string>> narrowed_audiences(const Call& call,
                                                           const std::vector<std::string>& granted) const;
  Answer with_refresh_token(const Call& call, const Grant& grant, GrantRequest request, Answer issued);

  TokenEndpointParts p_;
};

}  // namespace gatehouse::identity
