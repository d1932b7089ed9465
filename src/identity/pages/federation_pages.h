#pragma once
// /federation/<id> and its callback: to an outside provider and back; /account/logins: which of its logins are one's
// own.
//
// The redirect to the provider follows a link of the login page, or a form of the account page. What comes back leads
// nowhere by itself: the visit in this browser says where it goes on. Thread safety: any thread; all calls block.

#include <optional>

#include "identity/pages/visit.h"

namespace gatehouse::identity {

std::optional<WebResponse> handle_federation(const Visit& visit);

}  // namespace gatehouse::identity
