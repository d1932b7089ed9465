#pragma once
// Between the gateway's local calls and identity's requests and responses.

#include <string_view>

#include "gateway/local_service.h"
#include "identity/web.h"

namespace gatehouse::app {

// Views into the request; `path` is below the issuer's.
identity::WebRequest web_request(const gateway::LocalRequest& from, std::string_view path);
gateway::LocalAnswer local_answer(identity::WebResponse response);

}  // namespace gatehouse::app
