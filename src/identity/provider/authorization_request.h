#pragma once
// The parameters of an authorization request (RFC 6749 §4.1.1, OIDC Core §3.1.2.1, RFC 7636, 8707, 9207, 9449 §10),
// read strictly. Pure functions.
//
// Two steps, because what is wrong before the redirect URI is known to be the client's is shown to the user and never
// sent anywhere (RFC 6749 §4.1.2.1); what is wrong after it is told to the client.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "codec/form.h"
#include "identity/provider/client.h"
#include "identity/provider/oauth_error.h"

namespace gatehouse::identity {

enum class ResponseMode : std::uint8_t { query, form_post };

struct ReturnAddress {
  std::string redirect_uri;
  bool was_given = false;  // the token request must repeat it then (RFC 6749 §4.1.3)
  std::string state;
  ResponseMode mode = ResponseMode::query;
};

// The redirect URI of the request, if it is one of the client's. The error is for the user's eyes.
OAuthResult<ReturnAddress> read_return_address(const codec::Form& form, const Client& client);

struct Prompt {
  bool none = false, login = false, consent = false, select_account = false;
};

struct AuthorizationRequest {
  std::string client_id;
  std::vector<std::string> scopes;  // that this client may ask for; unknown ones are left out (OIDC Core §3.1.2.1)
  std::vector<std::string> resources;
  std::string nonce, code_challenge, id_token_hint, login_hint, ui_locales, dpop_jkt;
  Prompt prompt;
  std::optional<std::int64_t> max_age_s;
  std::string subject;     // that the claims parameter demands; empty: whoever signs in
  bool wants_mfa = false;  // acr_values, claims, or the client's own settings
  std::vector<std::string> id_token_claims, userinfo_claims;

  bool has_scope(std::string_view scope) const noexcept;
};

OAuthResult<AuthorizationRequest> read_authorization_request(const codec::Form& form, const Client& client);

// Where the browser goes with an answer: `parameters` is a form; `iss` and `state` are added (RFC 9207).
std::string answer_location(const ReturnAddress& to, std::string_view issuer, codec::FormWriter parameters);

// RFC 8707 §2: an absolute URI without fragment.
bool is_resource(std::string_view resource) noexcept;

}  // namespace gatehouse::identity
