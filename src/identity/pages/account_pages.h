#pragma once
// /account and below it, for whoever is signed in.
//
// What changes how one signs in, or where mail goes, needs a proof that is fresh, with the second factor if there is
// one: the visit to the login says why, takes only the same user, and comes back. Thread safety: any thread; all calls
// block for the store.

#include <optional>
#include <string_view>

#include "identity/pages/visit.h"
#include "identity/sessions/sessions.h"

namespace gatehouse::identity {

inline constexpr std::string_view kAccountContext = "account";  // of its forms' token, with the session's cookie

std::optional<WebResponse> handle_account(const Visit& visit);

// Who is signed in: the session and its user; else the way to the login, and back to this page.
struct SignedInUser {
  SessionPtr session;
  UserPtr user;
};
tl::expected<SignedInUser, WebResponse> require_session(const Visit& visit, std::string_view return_to);
// Is it proved lately enough to change how one signs in?
Result<bool> is_fresh(const Visit& visit, const SignedInUser& who);
// To the login for a fresh proof of the same user, and back.
WebResponse step_up(const Visit& visit, const SignedInUser& who, std::string_view return_to);

}  // namespace gatehouse::identity
