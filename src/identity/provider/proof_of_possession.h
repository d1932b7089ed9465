#pragma once
// Tokens that only their owner can use: bound to a key that the client proves with each request (DPoP, RFC 9449), or to
// the certificate of its TLS connection (RFC 8705 §3).

#include <optional>
#include <string>
#include <string_view>

#include "crypto/dpop.h"
#include "identity/provider/client.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/oauth_error.h"
#include "identity/provider/tokens.h"
#include "identity/web.h"

namespace gatehouse::identity {

class ProofOfPossession {
 public:
  // `nonces`: proofs have to carry one of them (RFC 9449 §8, §9); absent: none is demanded.
  ProofOfPossession(std::string issuer, UsedOnce& used, std::optional<crypto::DpopNonces> nonces = std::nullopt)
      : issuer_(std::move(issuer)), used_(used), nonces_(std::move(nonces)) {}

  // Gives whoever sent a proof the nonce for the next one.
  void add_nonce(const WebRequest& request, WebResponse& response) const;

  // At an endpoint that makes tokens (`path` below the issuer): what they will be bound to. Blocks when there is a
  // proof, which may be used once.
  OAuthResult<Confirmation> binding(const WebRequest& request, std::string_view path, const Client& client) const;
  // Where a token is used: whether who brings it may. The error is a 401 with its challenge.
  OAuthResult<void> check(const WebRequest& request, std::string_view path, std::string_view access_token,
                          const Confirmation& bound) const;
  // Without a proof for the token: does the connection have the certificate that it is bound to, if it is to any?
  static bool has_certificate(const WebRequest& request, const Confirmation& bound);

 private:
  OAuthResult<std::string> thumbprint(const WebRequest& request, std::string_view path, std::string_view access_token,
                                      std::string_view bound) const;

  const std::string issuer_;
  UsedOnce& used_;
  const std::optional<crypto::DpopNonces> nonces_;
};

}  // namespace gatehouse::identity
