#pragma once
// How a client proves at an endpoint that it is the one (RFC 6749 §2.3, RFC 7523, RFC 8705 §2).
//
// A client uses the one method that it registered; two at once are an error (RFC 6749 §2.3). Unknown clients and wrong
// secrets get the same answer.

#include <memory>
#include <string_view>
#include <vector>

#include "codec/form.h"
#include "identity/provider/client_keys.h"
#include "identity/provider/clients.h"
#include "identity/provider/oauth_error.h"
#include "identity/web.h"
#include "store/database.h"

namespace gatehouse::identity {

// Names that may be used once: of assertions and proofs (RFC 7523 §3 item 7, RFC 9449 §11.1).
class UsedOnce {
 public:
  explicit UsedOnce(store::Database& database) : database_(database) {}
  // False: it was used before. Blocks.
  Result<bool> use(std::string_view name, WallTime expires);

 private:
  store::Database& database_;
};

class ClientAuthenticator {
 public:
  // `audiences`: what an assertion's `aud` may be: the issuer, the token endpoint.
  ClientAuthenticator(Clients& clients, ClientKeys& keys, UsedOnce& used, std::vector<std::string> audiences)
      : clients_(clients), keys_(keys), used_(used), audiences_(std::move(audiences)) {}

  using Proved = std::shared_ptr<const Client>;
  // Blocks when the client isn't remembered or brings an assertion.
  OAuthResult<Proved> authenticate(const WebRequest& request, const codec::Form& form) const;
  // The same without ever blocking; nullopt: `authenticate` has to be asked.
  std::optional<OAuthResult<Proved>> authenticate_at_once(const WebRequest& request, const codec::Form& form) const;

 private:
  struct Offered {
    ClientAuth method = ClientAuth::none;
    std::string id, secret;
    std::string_view assertion;
  };
  OAuthResult<Offered> offered(const WebRequest& request, const codec::Form& form) const;
  OAuthResult<Proved> check(const Offered& offered, Proved client, const WebRequest& request) const;
  OAuthResult<void> check_assertion(const Offered& offered, const Client& client, WallTime now) const;

  Clients& clients_;
  ClientKeys& keys_;
  UsedOnce& used_;
  const std::vector<std::string> audiences_;
};

}  // namespace gatehouse::identity
