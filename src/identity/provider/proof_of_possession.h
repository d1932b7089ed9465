#pragma once
// Tokens that only their owner can use: bound to a key that the client proves with each request (DPoP, RFC 9449), or to
// the certificate of its TLS connection (RFC 8705 §3).

#include <string>
#include <string_view>

#include "identity/provider/client.h"
#include "identity/provider/client_authentication.h"
#include "identity/provider/oauth_error.h"
#include "identity/provider/tokens.h"
#include "identity/web.h"

namespace gatehouse::identity {

class ProofOfPossession {
 public:
  ProofOfPossession(std::string issuer, UsedOnce& used) : issuer_(std::move(issuer)), used_(used) {}

  // At an endpoint that makes tokens (`path` below the issuer): what they will be bound to. Blocks when there is a
  // proof, which may be used once.
  OAuthResult<Confirmation> binding(const WebRequest& request, std::string_view path, const Client& client) const;
  // Where a token is used: whether who brings it may. The error is a 401 with its challenge.
  OAuthResult<void> check(const WebRequest& request, std::string_view path, std::string_view access_token,
                          const Confirmation& bound) const;

 private:
  OAuthResult<std::string> thumbprint(const WebRequest& request, std::string_view path, std::string_view access_token,
                                      std::string_view bound) const;

  const std::string issuer_;
  UsedOnce& used_;
};

}  // namespace gatehouse::identity
