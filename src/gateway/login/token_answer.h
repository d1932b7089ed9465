#pragma once
// What a provider's token endpoint says, believed only as far as it is proved: the ID token by its signature, issuer,
// audience, times, nonce and at_hash (OpenID Connect Core §3.1.3.7, §12.2), a logout token likewise (Back-Channel
// Logout §2.6).
//
// Thread safety: pure functions; a signature check costs about a tenth of a millisecond, so they belong on workers.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/login/login_parts.h"

namespace gatehouse::gateway {

struct TokenExpectation {
  const ProviderMetadata& provider;
  std::string_view client_id;
  WallTime now;
};

// What the provider said about whoever signed in.
struct SignedIn {
  std::string user, sid, acr;
  std::vector<std::string> roles, scopes;
  bool mfa = false;
  bool names_roles = false;  // the provider said which, be it none
  WallTime authenticated{};
  std::string refresh_token;
};

// `nonce`: of the login. ErrorCode::denied: the provider refuses (the code is not good); invalid: it said something
// that is not proved; unavailable: ask again later.
Result<SignedIn> read_login(const TokenEndpoint::Answer& answer, const TokenExpectation& expected,
                            std::string_view nonce);
// Of a refresh, which need not bring an ID token: then `user` is empty, and what was known stays.
Result<SignedIn> read_refresh(const TokenEndpoint::Answer& answer, const TokenExpectation& expected);

struct LoggedOut {
  std::string sid, user;  // at least one of them
};
Result<LoggedOut> read_logout_token(std::string_view token, const TokenExpectation& expected);

}  // namespace gatehouse::gateway
