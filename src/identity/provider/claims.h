#pragma once
// What is told about a user (OIDC Core §5.1, §5.4).

#include <string>
#include <string_view>
#include <vector>

#include "identity/users/accounts.h"

namespace gatehouse::identity {

// Members for a JSON object, each with a comma in front: `,"name":"Ada"`. What the user has not given is left out.
std::string claims_by_scope(const User& user, const std::vector<std::string>& scopes);
std::string claims_by_name(const User& user, const std::vector<std::string>& names);

// The scopes that a provider of this kind knows, for discovery.
inline constexpr std::string_view kStandardScopes[] = {"openid", "profile", "email",  "address",
                                                       "phone",  "roles",   "groups", "offline_access"};
// And the claims.
const std::vector<std::string_view>& claim_names();

}  // namespace gatehouse::identity
