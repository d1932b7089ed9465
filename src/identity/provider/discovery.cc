#include "identity/provider/discovery.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "identity/provider/claims.h"
#include "identity/provider/client.h"
#include "identity/provider/tokens.h"

namespace gatehouse::identity {

std::string discovery_document(const DiscoveryFacts& facts) {
  const auto at = [&](std::string_view path) { return facts.issuer + std::string(path); };
  nlohmann::json j;
  j["issuer"] = facts.issuer;
  j["authorization_endpoint"] = at("/authorize");
  j["token_endpoint"] = at("/token");
  j["userinfo_endpoint"] = at("/userinfo");
  j["jwks_uri"] = at("/jwks");
  j["introspection_endpoint"] = at("/introspect");
  j["revocation_endpoint"] = at("/revoke");
  j["pushed_authorization_request_endpoint"] = at("/par");
  j["device_authorization_endpoint"] = at("/device_authorization");
  j["end_session_endpoint"] = at("/logout");
  if (facts.registration) j["registration_endpoint"] = at("/register");
  j["response_types_supported"] = {"code"};
  j["response_modes_supported"] = {"query", "form_post"};
  for (const GrantType grant : {GrantType::authorization_code, GrantType::client_credentials, GrantType::refresh_token,
                                GrantType::device_code, GrantType::token_exchange}) {
    j["grant_types_supported"].push_back(name_of(grant));
  }
  nlohmann::json methods = {"client_secret_basic", "client_secret_post", "private_key_jwt", "none"};
  if (facts.certificates) {
    methods.push_back("tls_client_auth");
    methods.push_back("self_signed_tls_client_auth");
  }
  const nlohmann::json assertion_algorithms = {"ES256", "ES384", "EdDSA", "RS256", "PS256"};
  for (const char* endpoint : {"token", "introspection", "revocation"}) {
    j[fmt::format("{}_endpoint_auth_methods_supported", endpoint)] = methods;
    j[fmt::format("{}_endpoint_auth_signing_alg_values_supported", endpoint)] = assertion_algorithms;
  }
  j["subject_types_supported"] = {"public", "pairwise"};
  j["id_token_signing_alg_values_supported"] = facts.signing_algorithms;
  j["scopes_supported"] = kStandardScopes;
  j["claims_supported"] = claim_names();
  j["claim_types_supported"] = {"normal"};
  j["claims_parameter_supported"] = true;
  j["acr_values_supported"] = {kAcrPassword, kAcrMfa};
  j["prompt_values_supported"] = {"none", "login", "consent", "select_account"};
  j["ui_locales_supported"] = {"en", "de"};
  j["code_challenge_methods_supported"] = {"S256"};
  j["dpop_signing_alg_values_supported"] = {"ES256", "ES384", "EdDSA", "RS256", "PS256"};
  j["authorization_response_iss_parameter_supported"] = true;
  j["request_parameter_supported"] = false;
  j["request_uri_parameter_supported"] = false;
  j["require_pushed_authorization_requests"] = false;
  j["tls_client_certificate_bound_access_tokens"] = facts.certificates;
  j["backchannel_logout_supported"] = true;
  j["backchannel_logout_session_supported"] = true;
  return j.dump();
}

}  // namespace gatehouse::identity
