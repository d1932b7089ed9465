#include "identity/web.h"

#include <fmt/format.h>

#include <algorithm>

namespace gatehouse::identity {

void WebResponse::set(std::string_view name, std::string_view value) {
  std::erase_if(fields, [&](const auto& field) { return field.first == name; });
  add(name, value);
}

void WebResponse::add(std::string_view name, std::string_view value) {
  fields.emplace_back(std::string(name), std::string(value));
}

WebResponse redirect(std::string location) {
  WebResponse response;
  response.status = 303;
  response.add("location", location);
  response.add("cache-control", "no-store");
  response.add("referrer-policy", "no-referrer");  // a code must not travel on in one (RFC 9700 §4.2.4)
  return response;
}

WebResponse json(int status, std::string body) {
  WebResponse response;
  response.status = status;
  response.body = std::move(body);
  response.add("content-type", "application/json");
  response.add("cache-control", "no-store");
  return response;
}

WebResponse html(int status, std::string body) {
  WebResponse response;
  response.status = status;
  response.body = std::move(body);
  response.add("content-type", "text/html; charset=utf-8");
  response.add("cache-control", "no-store");
  // Nothing from elsewhere, nothing inline, no frame around us. `form-action` names no place: browsers apply it to the
  // redirects that follow a form, too, and those lead to clients.
  response.add("content-security-policy",
               "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; "
               "base-uri 'none'; frame-ancestors 'none'");
  response.add("x-frame-options", "DENY");
  response.add("x-content-type-options", "nosniff");
  response.add("referrer-policy", "no-referrer");
  return response;
}

WebResponse method_not_allowed(std::string_view allow) {
  WebResponse response = json(405, R"({"error":"invalid_request","error_description":"method not allowed"})");
  response.add("allow", allow);
  return response;
}

bool is_from_our_page(const WebRequest& request, std::string_view issuer) noexcept {
  if (!request.sec_fetch_site.empty()) return request.sec_fetch_site == "same-origin";
  if (request.origin.empty() || request.origin == "null") return true;
  const std::size_t scheme = issuer.find("://");
  return request.origin == issuer.substr(0, issuer.find('/', scheme + 3));
}

std::optional<std::string_view> cookie(std::string_view cookies, std::string_view name) noexcept {
  std::optional<std::string_view> found;
  while (!cookies.empty()) {
    const std::size_t end = cookies.find(';');
    std::string_view pair = cookies.substr(0, end);
    cookies = end == std::string_view::npos ? std::string_view{} : cookies.substr(end + 1);
    while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) pair.remove_prefix(1);
    while (!pair.empty() && (pair.back() == ' ' || pair.back() == '\t')) pair.remove_suffix(1);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name) continue;
    if (found) return std::nullopt;
    found = pair.substr(equals + 1);
  }
  return found;
}

std::optional<std::string_view> host_cookie_of(const WebRequest& request, std::string_view name) noexcept {
  constexpr std::string_view kPrefix = "__Host-";
  char whole[64];
  if (kPrefix.size() + name.size() > sizeof whole) return std::nullopt;
  std::copy(name.begin(), name.end(), std::copy(kPrefix.begin(), kPrefix.end(), whole));
  return cookie(request.cookie, {whole, kPrefix.size() + name.size()});
}

std::string host_cookie(std::string_view name, std::string_view value, std::optional<Duration> age) {
  std::string text = fmt::format("__Host-{}={}; Path=/; Secure; HttpOnly; SameSite=Lax", name, value);
  if (age) text += fmt::format("; Max-Age={}", std::chrono::duration_cast<std::chrono::seconds>(*age).count());
  return text;
}

std::string expired_cookie(std::string_view name) { return host_cookie(name, "", Duration(0)); }

}  // namespace gatehouse::identity
