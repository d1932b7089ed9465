#pragma once
// Requests of drills as bytes: what a route would take, with one thing changed.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/config.h"

namespace gatehouse::app {

// Is it a listener that a drill can speak to: no PROXY protocol and no client certificate in front of the request?
bool can_be_drilled(const gateway::ListenerConfig& listener) noexcept;

struct DrillRequest {
  std::string method = "GET", path = "/", query, host = "drill.invalid";
  std::vector<std::pair<std::string, std::string>> fields;
  std::string body;
  std::string bytes() const;  // HTTP/1.1, to be closed after the answer
};

// One that this route matches: "/orders/{id}/**" becomes "/orders/drill/drill".
DrillRequest request_for(const gateway::RouteConfig& route);
bool changes_nothing(std::string_view method) noexcept;  // RFC 9110 §9.2.1

}  // namespace gatehouse::app
