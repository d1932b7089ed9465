#pragma once
// Did a page of this very origin make the request? A cookie goes along with what other sites make a browser send, so
// nothing that changes something is done on the strength of a cookie alone (CSRF).
//
// Thread safety: pure functions.

#include <string_view>

#include "http/canonical.h"

namespace gatehouse::gateway {

enum class RequestOrigin : std::uint8_t { same, foreign, unknown };

// Sec-Fetch-Site where the browser sends it (`same-origin`, or `none`: the user himself), else Origin, else Referer,
// each compared whole with the target's origin. unknown: the request has none of them, as old browsers and programs.
RequestOrigin origin_of_request(const http::Fields& fields, std::string_view authority) noexcept;
// Origin alone: for WebSockets, which every site may open to any other (RFC 6455 §10.2).
RequestOrigin origin_of_socket(const http::Fields& fields, std::string_view authority) noexcept;

inline bool is_safe_method(std::string_view method) noexcept {  // RFC 9110 §9.2.1
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}
// Would a person see the answer? A top-level navigation that reads; otherwise a program asks.
bool is_page_navigation(const http::CanonicalRequest& message) noexcept;

}  // namespace gatehouse::gateway
