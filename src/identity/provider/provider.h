#pragma once
// The OAuth 2.1 authorization server and OpenID provider: which endpoint a request is for, and what all of them share.
//
// Thread safety: any thread. `at_once` never blocks and belongs on a shard; `handle` belongs on a worker.

#include <memory>
#include <optional>
#include <string>

#include "identity/provider/authorize_endpoint.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/clients.h"
#include "identity/provider/device_endpoint.h"
#include "identity/provider/discovery.h"
#include "identity/provider/logout_endpoint.h"
#include "identity/provider/registration_endpoint.h"
#include "identity/provider/token_endpoint.h"
#include "identity/provider/token_use.h"

namespace gatehouse::identity {

struct ProviderOptions {
  std::string issuer;  // without a slash at its end
  bool certificates = false;
  std::vector<crypto::JoseAlgorithm> algorithms{crypto::JoseAlgorithm::es256, crypto::JoseAlgorithm::rs256};
  Duration key_rotation = std::chrono::hours(24 * 30);
  bool dpop_nonces = false;  // proofs have to carry a nonce of ours
  RegistrationPolicy registration;
};

struct ProviderParts {  // all of it outlives the provider
  store::Database& database;
  secrets::Keyring& keyring;
  Accounts& accounts;
  Sessions& sessions;
  Interactions& interactions;
  FormTokens& form_tokens;
  Revocations& revocations;
  AuditTrail& audit;
  Screens& screens;
  BackchannelLogout::Send send_logout;
  const Clock& clock;
  ClientKeys::Fetch fetch_keys = {};  // of clients with a jwks_uri
};

class Provider {
 public:
  Provider(ProviderParts parts, ProviderOptions options);
  ~Provider();

  // Reads or makes the signing keys; before anything else.
  Status start();

  std::optional<WebResponse> at_once(const WebRequest& request);
  // For what `at_once` had no answer to. nullopt: no endpoint of ours.
  std::optional<WebResponse> handle(const WebRequest& request);

  // On a worker: `every_second` looks for what other gateways did, `every_minute` keeps the keys' schedule and removes
  // what has expired.
  Status every_second();
  Status every_minute();

  Clients& clients() noexcept { return clients_; }
  SigningKeys& signing_keys() noexcept { return keys_; }
  Tokens& tokens() noexcept { return tokens_; }
  Grants& grants() noexcept { return grants_; }
  const ProviderOptions& options() const noexcept { return options_; }

 private:
  using Answer = std::optional<WebResponse>;
  WebResponse log_out(const WebRequest& request);
  Result<std::vector<std::string>> pairwise_subjects(std::string_view user_id);
  // What scripts of other origins may read of an answer, and the next nonce.
  Answer with_fields(Answer response, const WebRequest& request) const;
  Answer published(const WebRequest& request) const;

  const ProviderOptions options_;
  const std::string discovery_;
  Clients clients_;
  ClientKeys client_keys_;
  UsedOnce used_;
  SigningKeys keys_;
  Tokens tokens_;
  Grants grants_;
  DeviceCodes devices_;
  PushedRequests pushed_requests_;
  Subjects subjects_;
  ClientAuthenticator authenticator_;
  ProofOfPossession proofs_;
  RegistrationEndpoint registration_;
  TokenEndpoint token_;
  TokenUse token_use_;
  AuthorizeEndpoint authorize_;
  DeviceEndpoint device_;
  LogoutEndpoint logout_;
  BackchannelLogout backchannel_;
};

}  // namespace gatehouse::identity
