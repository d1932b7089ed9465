#pragma once
// /authorize and /consent: from an authorization request to a code (RFC 6749 §4.1, OIDC Core §3.1.2), with whatever
// the user has to do in between; and /par (RFC 9126).
//
//   /authorize ─┬─ wrong client or redirect URI ──> an error page, never a redirect
//               ├─ wrong otherwise ──> back to the client with the error
//               ├─ sign in, step up ──> /login?flow=… ──> /authorize?flow=…
//               ├─ consent ──> /consent?flow=… (a form) ──> back to the client
//               └─ code ──> back to the client
//
// Thread safety: any thread; all calls block for the store.

#include <functional>
#include <optional>
#include <string>

#include "identity/audit.h"
#include "identity/provider/authorization_request.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/grants.h"
#include "identity/provider/proof_of_possession.h"
#include "identity/provider/pushed_requests.h"
#include "identity/provider/screens.h"
#include "identity/provider/subjects.h"
#include "identity/provider/tokens.h"
#include "identity/sessions/interactions.h"
#include "identity/sessions/sessions.h"
#include "store/database.h"

namespace gatehouse::identity {

struct AuthorizeParts {
  store::Database& database;
  PushedRequests& pushed_requests;
  Clients& clients;
  const ClientAuthenticator& authenticator;
  const ProofOfPossession& proofs;
  Grants& grants;
  const Tokens& tokens;
  const Subjects& subjects;
  Accounts& accounts;
  Sessions& sessions;
  Interactions& interactions;
  const FormTokens& form_tokens;
  Screens& screens;
  AuditTrail& audit;
};

// Which scopes a user has allowed a client to have.
class Consents {
 public:
  explicit Consents(store::Database& database) : database_(database) {}
  Result<std::vector<std::string>> find(std::string_view user_id, std::string_view client_id);
  // Besides those allowed before.
  Status allow(std::string_view user_id, std::string_view client_id, const std::vector<std::string>& scopes,
               WallTime now);
  struct Given {
    std::string client_id;
    std::vector<std::string> scopes;
    std::int64_t since_s = 0;
  };
  Result<std::vector<Given>> list(std::string_view user_id);
  Status remove(std::string_view user_id, std::string_view client_id);

 private:
  store::Database& database_;
};

class AuthorizeEndpoint {
 public:
  explicit AuthorizeEndpoint(AuthorizeParts parts) : p_(parts), consents_(parts.database) {}

  WebResponse authorize(const WebRequest& request);
  WebResponse consent(const WebRequest& request);
  WebResponse push(const WebRequest& request);

 private:
  // An authorization request that is on its way.
  struct Visit {
    const WebRequest& web;
    codec::Form form;
    std::shared_ptr<const Client> client;
    ReturnAddress to;
    AuthorizationRequest request;
    SessionPtr session;                      // null: nobody is signed in
    std::optional<Interaction> interaction;  // absent: it has just come
  };
  struct Refused {
    WebResponse response;
  };
  template <class T>
  using Or = tl::expected<T, Refused>;

  Or<Visit> begin(const WebRequest& web);
  Or<Visit> resume(const WebRequest& web, std::string_view flow);
  Or<Visit> read(const WebRequest& web, codec::Form form, std::optional<Interaction> interaction);
  Or<codec::Form> pushed(const WebRequest& web, const codec::Form& outer);
  WebResponse stored_post(const WebRequest& web);

  bool must_sign_in(const Visit& visit) const;
  bool names_user(const Visit& visit) const;
  Or<bool> hint_fits(const Visit& visit) const;
  WebResponse sign_in(Visit& visit);
  Result<std::vector<std::string>> missing_consent(const Visit& visit);
  WebResponse ask_consent(Visit& visit);
  WebResponse show_consent(const Visit& visit, const std::vector<std::string>& missing);
  WebResponse give_code(Visit& visit);
  Result<Interaction> keep(Visit& visit, Interaction wanted, WebResponse& response);

  WebResponse back(const Visit& visit, const OAuthError& error) const;
  WebResponse back(const ReturnAddress& to, const OAuthError& error) const;
  WebResponse send(const ReturnAddress& to, codec::FormWriter parameters) const;
  WebResponse failed(const WebRequest& web, const Error& error) const;
  Refused page(const WebRequest& web, int status, const OAuthError& error) const;

  AuthorizeParts p_;
  Consents consents_;
};

// What consent is asked for: the scopes, and each resource as "resource:URI".
std::vector<std::string> consent_subjects(const AuthorizationRequest& request);

}  // namespace gatehouse::identity
