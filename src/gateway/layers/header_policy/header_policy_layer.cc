#include "gateway/layers/header_policy/header_policy_layer.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace gatehouse::gateway {
namespace {

using http::equals_ignoring_case;

constexpr std::array<std::string_view, 12> kRevealing{
    "server",    "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator",        "x-drupal-cache",
    "x-runtime", "x-version",    "x-backend-server", "x-served-by",         "x-powered-by-plesk", "via",
};

// Does it protect at least a day? RFC 6797 §6.1.1; directives in any order, the value perhaps quoted.
bool keeps_https(std::string_view value) noexcept {
  for (std::size_t at = 0; at < value.size();) {
    std::string_view directive = value.substr(at, value.find(';', at) - at);
    at += directive.size() + 1;
    while (!directive.empty() && directive.front() == ' ') directive.remove_prefix(1);
    if (directive.size() < 8 || !equals_ignoring_case(directive.substr(0, 8), "max-age=")) continue;
    directive.remove_prefix(8);
    if (!directive.empty() && directive.front() == '"') directive.remove_prefix(1);
    std::uint64_t seconds = 0;
    const auto [end, error] = std::from_chars(directive.data(), directive.data() + directive.size(), seconds);
    return end != directive.data() && (error == std::errc::result_out_of_range || seconds >= 86400);
  }
  return false;
}

bool keeps_frames_out(std::string_view value) noexcept {
  return equals_ignoring_case(value, "deny") || equals_ignoring_case(value, "sameorigin");
}

bool is_revealing(std::string_view name) noexcept {
  return std::find(kRevealing.begin(), kRevealing.end(), name) != kRevealing.end();
}

// Sets the field unless exactly one is there and `good` likes it. Two contradicting ones are what browsers differ on.
template <class Good>
void ensure(http::Fields& fields, std::string_view name, std::string_view value, Good good) {
  if (value.empty()) return;
  const auto present = fields.get(name);
  if (!present) {
    fields.add(name, value);  // the usual case: `set` would look for it once more
  } else if (!good(*present) || fields.count(name) != 1) {
    fields.set(name, value);
  }
}

void secure(const SecurityHeadersConfig& config, bool tls, http::Fields& fields) {
  if (tls) ensure(fields, "strict-transport-security", config.hsts, keeps_https);
  ensure(fields, "x-content-type-options", "nosniff",
         [](std::string_view value) { return equals_ignoring_case(value, "nosniff"); });
  ensure(fields, "x-frame-options", config.frame_options, keeps_frames_out);
  ensure(fields, "referrer-policy", config.referrer_policy,
         [](std::string_view value) { return !value.empty() && !equals_ignoring_case(value, "unsafe-url"); });
  if (!config.content_security_policy.empty() && !fields.has("content-security-policy")) {
    fields.add("content-security-policy", config.content_security_policy);
  }
}

}  // namespace

HeaderPolicyLayer::HeaderPolicyLayer(const Config&, SharedState&, const Clock&) {}

void HeaderPolicyLayer::on_response(Request& request, http::ResponseHead& response) const {
  response.fields.remove_if([](const http::Field& field) { return is_revealing(field.name); });
  const SecurityHeadersConfig& config = request.route != nullptr ? request.route->security_headers : unrouted_;
  if (config.enabled) secure(config, request.connection != nullptr && request.connection->tls, response.fields);
  if (request.route != nullptr) edit_fields(request.route->response_headers, response.fields);
}

void edit_fields(const HeaderEdit& edit, http::Fields& fields) {
  const auto is_framing = [](std::string_view name) {
    return name == "content-length" || name == "host" || http::is_hop_by_hop(name);
  };
  for (const std::string& name : edit.remove) {
    if (!is_framing(name)) fields.remove(name);
  }
  for (const auto& [name, value] : edit.set) {
    if (!is_framing(name)) fields.set(name, value);
  }
  for (const auto& [name, value] : edit.add) {
    if (!is_framing(name)) fields.add(name, value);
  }
}

}  // namespace gatehouse::gateway
