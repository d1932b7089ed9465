#pragma once
// Who is at the browser, from the request.

#include <string_view>

#include "base/ip.h"

namespace gatehouse::identity {

// Views live for the call.
struct Visitor {
  IpAddress client_ip;
  std::string_view user_agent, request_id;
  std::string_view device_cookie;   // value of __Host-gatehouse-device; may be empty
  std::string_view session_cookie;  // value of __Host-gatehouse-sso; may be empty
};

}  // namespace gatehouse::identity
