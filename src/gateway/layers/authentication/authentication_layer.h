#pragma once
// Who asks: a bearer token (RFC 6750, RFC 9068), an API key, the session of somebody who signed in (on routes with
// `login`), or a client certificate, in this order. The first credential that is presented decides; a bad one is not
// made good by another, but for a session that is over: that is as if there were none.
//
// On a public route nobody is turned away: a credential that doesn't verify is ignored, named in the record, and gives
// no identity. Everywhere else no credential or a bad one is a 401, and a verifier without keys a 503: it fails closed.
//
// Thread safety: as Layer. The token cache lives as long as this configuration, so that a reload that changes an
// audience or a claim's name applies to every token at once.

#include <memory>
#include <string>
#include <vector>

#include "crypto/jwk.h"
#include "gateway/layers/authentication/api_keys.h"
#include "gateway/layers/authentication/key_source.h"
#include "gateway/layers/authentication/token_cache.h"
#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class Logins;

class AuthenticationLayer final : public Layer {
 public:
  // `keys` has one entry for each of `config.authentication.jwt`. `api_keys` may be null when none are configured;
  // `lookups`, too, and outlives the layer.
  AuthenticationLayer(const Config& config, KeySource keys, std::shared_ptr<const ApiKeySource> api_keys,
                      TokenLookups* lookups = nullptr, std::shared_ptr<Logins> logins = nullptr);

  telemetry::Layer id() const noexcept override { return telemetry::Layer::authentication; }
  Decision decide(Request& request) const override;
  void on_response(Request& request, http::ResponseHead& head) const override;

 private:
  struct Issuer {
    const JwtIssuerConfig* config;
    crypto::AlgorithmSet algorithms;
    std::shared_ptr<IssuerKeys> keys;
  };
  // A pass without reason: the request has a principal. A pass with reason never comes from these.
  Decision authenticate(Request& request) const;
  Decision with_token(Request& request, std::string_view token) const;
  Decision verify(Request& request, std::string_view token) const;
  Decision with_api_key(Request& request, std::string_view key) const;
  Decision with_session(Request& request) const;
  Decision with_certificate(Request& request) const;
  bool is_revoked(const Issuer& issuer, const VerifiedToken& token, std::string_view user) const noexcept;
  const Issuer* find_issuer(std::string_view name) const noexcept;

  const AuthenticationConfig& config_;
  std::vector<Issuer> issuers_;
  std::shared_ptr<const ApiKeySource> api_keys_;
  TokenLookups* const lookups_;
  const std::shared_ptr<Logins> logins_;  // null: no route has `login`
  std::unique_ptr<TokenCache> cache_;     // its own locks: decide is const and shared
};

// The token of `Authorization: Bearer …` (RFC 9110 §11.6.2), empty when the field holds another scheme.
std::string_view bearer_token(std::string_view authorization) noexcept;

}  // namespace gatehouse::gateway
