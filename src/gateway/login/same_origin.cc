#include "gateway/login/same_origin.h"

namespace gatehouse::gateway {
namespace {

constexpr std::string_view kScheme = "https://";

// "https://shop.example:8443", the default port written or not.
bool is_origin(std::string_view text, std::string_view authority) noexcept {
  if (!text.starts_with(kScheme)) return false;
  text.remove_prefix(kScheme.size());
  if (http::equals_ignoring_case(text, authority)) return true;
  constexpr std::string_view kPort = ":443";
  return text.ends_with(kPort) && http::equals_ignoring_case(text.substr(0, text.size() - kPort.size()), authority);
}

RequestOrigin judge(bool same) noexcept { return same ? RequestOrigin::same : RequestOrigin::foreign; }

}  // namespace

RequestOrigin origin_of_socket(const http::Fields& fields, std::string_view authority) noexcept {
  const auto origin = fields.get("origin");
  if (!origin) return RequestOrigin::unknown;
  return judge(fields.count("origin") == 1 && is_origin(*origin, authority));
}

RequestOrigin origin_of_request(const http::Fields& fields, std::string_view authority) noexcept {
  if (const auto site = fields.get("sec-fetch-site"))
    return judge(fields.count("sec-fetch-site") == 1 && (*site == "same-origin" || *site == "none"));
  if (const auto by_origin = origin_of_socket(fields, authority); by_origin != RequestOrigin::unknown) return by_origin;
  const auto referer = fields.get("referer");
  if (!referer) return RequestOrigin::unknown;
  std::string_view origin = *referer;
  if (origin.starts_with(kScheme)) origin = origin.substr(0, origin.find_first_of("/?#\\@", kScheme.size()));
  // A user name in front of the host would have ended the comparison at its `@`, or been taken for a host.
  const bool cut_at_path = origin.size() == referer->size() || (*referer)[origin.size()] == '/';
  return judge(fields.count("referer") == 1 && cut_at_path && is_origin(origin, authority));
}

bool is_page_navigation(const http::CanonicalRequest& message) noexcept {
  if ((message.method != "GET" && message.method != "HEAD") || !message.upgrade.empty() || !message.protocol.empty())
    return false;
  if (const auto mode = message.fields.get("sec-fetch-mode")) return *mode == "navigate";
  if (message.fields.has("x-requested-with")) return false;
  // Without quality values: who prefers HTML names it, and before JSON.
  const std::string_view accept = message.fields.get("accept").value_or("");
  const std::size_t html = accept.find("text/html");
  return html != std::string_view::npos && html < accept.find("application/json");
}

}  // namespace gatehouse::gateway
