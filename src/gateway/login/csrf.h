#pragma once
// Whether a request that a browser sent with the session's cookie comes from a page that may send it (cross-site
// request forgery; Fetch Metadata, RFC 6454, RFC 6455 §10.2).
//
//   Sec-Fetch-Site  same-origin, none (typed, a bookmark): passes. same-site: where the route says so. cross-site: not.
//   without it      Origin, else Referer, must name the target's own origin; neither of them: refused.
//   WebSocket       always by Origin: its upgrade is a GET, and no other rule of browsers protects it.
//
// SameSite=Lax of the cookie keeps most of this away already; it does not know sites from origins, and browsers differ.
// Thread safety: pure functions.

#include <string_view>

#include "http/canonical.h"

namespace gatehouse::gateway {

enum class CsrfVerdict : std::uint8_t {
  pass,
  cross_site,    // Sec-Fetch-Site says where from
  other_origin,  // Origin or Referer names another one
  unproven,      // nothing says where from
};
std::string_view text_of(CsrfVerdict verdict) noexcept;  // for evidence

struct CsrfRule {
  bool same_site = false;  // pages of sibling hosts may send, too
};

// RFC 9110 §9.2.1. Anything that is not known to be safe is unsafe.
bool is_safe_method(std::string_view method) noexcept;

// For requests that are authenticated by the cookie alone. `tunnel`: it asks for a WebSocket.
CsrfVerdict judge_csrf(const http::CanonicalRequest& request, bool tunnel, const CsrfRule& rule) noexcept;

}  // namespace gatehouse::gateway
