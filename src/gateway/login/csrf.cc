#include "gateway/login/csrf.h"

#include <algorithm>
#include <optional>

namespace gatehouse::gateway {
namespace {

// "https://shop.example:8443": is it scheme and authority of the request? Origins are in lower case and without the
// default port (RFC 6454 §6.2), and so is the canonical authority.
bool is_own(std::string_view origin, const http::CanonicalRequest& request) noexcept {
  return origin.size() == request.scheme.size() + 3 + request.authority.size() && origin.starts_with(request.scheme) &&
         origin.substr(request.scheme.size(), 3) == "://" && origin.ends_with(request.authority);
}

// The one value of a field; a repeated one says nothing.
std::optional<std::string_view> single(const http::Fields& fields, std::string_view name) noexcept {
  return fields.count(name) == 1 ? fields.get(name) : std::nullopt;
}

std::string_view origin_of(std::string_view url) noexcept {
  const std::size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, std::min(url.find_first_of("/?#", scheme + 3), url.size()));
}

CsrfVerdict by_origin(const http::CanonicalRequest& request) noexcept {
  const http::Fields& fields = request.fields;
  if (fields.has("origin")) {
    const auto origin = single(fields, "origin");
    return origin && is_own(*origin, request) ? CsrfVerdict::pass : CsrfVerdict::other_origin;
  }
  if (fields.has("referer")) {
    const auto referer = single(fields, "referer");
    return referer && is_own(origin_of(*referer), request) ? CsrfVerdict::pass : CsrfVerdict::other_origin;
  }
  return CsrfVerdict::unproven;
}

}  // namespace

std::string_view text_of(CsrfVerdict verdict) noexcept {
  switch (verdict) {
    case CsrfVerdict::pass: return "";
    case CsrfVerdict::cross_site: return "Sec-Fetch-Site: the page that sent it is another site's";
    case CsrfVerdict::other_origin: return "Origin or Referer is not the target's own";
    case CsrfVerdict::unproven: return "no Sec-Fetch-Site, no Origin and no Referer";
  }
  return "";
}

bool is_safe_method(std::string_view method) noexcept {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

CsrfVerdict judge_csrf(const http::CanonicalRequest& request, bool tunnel, const CsrfRule& rule) noexcept {
  if (tunnel) {
    const auto origin = single(request.fields, "origin");
    if (!origin) return CsrfVerdict::unproven;
    return is_own(*origin, request) ? CsrfVerdict::pass : CsrfVerdict::other_origin;
  }
  if (is_safe_method(request.method)) return CsrfVerdict::pass;
  if (!request.fields.has("sec-fetch-site")) return by_origin(request);
  const auto site = single(request.fields, "sec-fetch-site");
  if (site && (*site == "same-origin" || *site == "none")) return CsrfVerdict::pass;
  if (site && *site == "same-site" && rule.same_site) return CsrfVerdict::pass;
  return CsrfVerdict::cross_site;
}

}  // namespace gatehouse::gateway
