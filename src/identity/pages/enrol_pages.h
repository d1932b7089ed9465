#pragma once
// Adding a factor: at /login/enrol in a visit that demands one, at /account/factors/add from the account.
//
// Where a visit demands a factor and its user has none, the password is all that was proved. While mail can be sent and
// the account has a proved address, the first factor is a code to that address: whoever has only the password cannot
// put a factor of their own there. Thread safety: any thread; all calls block for the store.

#include <optional>

#include "identity/pages/visit.h"

namespace gatehouse::identity {

std::optional<WebResponse> handle_enrolment(const Visit& visit);

}  // namespace gatehouse::identity
