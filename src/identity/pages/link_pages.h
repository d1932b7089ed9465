#pragma once
// The links that mails and administrators hand out (`?ticket=…`): a forgotten password, an invitation, an address to
// prove, the first administrator.
//
// Opening a link does nothing by itself: mail scanners open links. Whoever has chosen a password is signed in with it,
// by the login's own steps, so that a second factor is asked for all the same.
// Thread safety: any thread; all calls block for the store.

#include <optional>

#include "identity/pages/visit.h"

namespace gatehouse::identity {

std::optional<WebResponse> handle_link(const Visit& visit);

// What is wrong with a password; `none` has no message.
std::string password_problem(const Visit& visit, PasswordProblem problem);

}  // namespace gatehouse::identity
