#include "gateway/layers/cors/cors_layer.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "gateway/vary.h"

namespace gatehouse::gateway {
namespace {

std::string joined(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

// An origin as a browser writes it: no control bytes, no spaces; it is echoed into our answer.
bool is_plausible_origin(std::string_view origin) noexcept {
  return !origin.empty() && origin.size() <= 512 &&
         std::all_of(origin.begin(), origin.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != ','; });
}

bool is_field_name_list(std::string_view list) noexcept {
  return list.size() <= 2048 && std::all_of(list.begin(), list.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
                  c == ',' || c == ' ';
         });
}

}  // namespace

CorsLayer::CorsLayer(const Config& config, SharedState&, const Clock&) {
  routes_.resize(config.routes.size());
  for (std::size_t i = 0; i < config.routes.size(); ++i) {
    const RouteConfig& route = config.routes[i];
    if (!route.cors) continue;
    Policy policy;
    policy.origins = route.cors->origins;
    policy.any_origin = std::find(policy.origins.begin(), policy.origins.end(), "*") != policy.origins.end();
    policy.credentials = route.cors->credentials && !policy.any_origin;
    policy.methods = joined(route.cors->methods.empty() ? route.match.methods : route.cors->methods);
    policy.headers = joined(route.cors->headers);
    policy.expose = joined(route.cors->expose);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(route.cors->max_age).count();
    if (seconds > 0) policy.max_age = std::to_string(seconds);
    routes_[i] = std::move(policy);
  }
}

std::string_view CorsLayer::preflight_method(std::string_view method, const http::Fields& fields) noexcept {
  if (method != "OPTIONS" || !fields.has("origin")) return {};
  return fields.get("access-control-request-method").value_or(std::string_view());
}

const CorsLayer::Policy* CorsLayer::policy_of(const Request& request) const noexcept {
  if (request.route == nullptr || request.route_index >= routes_.size()) return nullptr;
  const auto& policy = routes_[request.route_index];
  return policy ? &*policy : nullptr;
}

std::string_view CorsLayer::allowed_origin(const Policy& policy, std::string_view origin) noexcept {
  if (!is_plausible_origin(origin)) return {};
  if (policy.any_origin) return "*";
  // Exact bytes: a browser serialises an origin in one way only. "null" must have been listed, like any other.
  const bool listed = std::find(policy.origins.begin(), policy.origins.end(), origin) != policy.origins.end();
  return listed ? origin : std::string_view();
}

Decision CorsLayer::decide(Request& request) const {
  const Policy* policy = policy_of(request);
  if (policy == nullptr || preflight_method(request.message.method, request.message.fields).empty()) return {};
  const std::string_view origin = *request.message.fields.get("origin");
  Decision decision;
  if (allowed_origin(*policy, origin).empty()) {
    decision.verdict = Verdict::deny;
    decision.reason = "cors.origin";
    decision.status = 403;
    decision.evidence = is_plausible_origin(origin)
                            ? evidence(request.arena, "origin {} is not among {}", origin, joined(policy->origins))
                            : std::string_view("the origin is malformed");
    return decision;
  }
  decision.verdict = Verdict::answer;
  decision.reason = "cors.preflight";
  decision.status = 204;
  return decision;
}

void CorsLayer::on_response(Request& request, http::ResponseHead& response) const {
  const Policy* policy = policy_of(request);
  if (policy == nullptr) return;
  http::Fields& fields = response.fields;
  fields.remove_if([](const http::Field& field) { return field.name.starts_with("access-control-"); });
  // Also on answers to requests without an origin: a cache must not serve those to a browser.
  if (!policy->any_origin) add_vary(request.arena, fields, "origin");
  const auto origin = request.message.fields.get("origin");
  if (!origin) return;
  const std::string_view allowed = allowed_origin(*policy, *origin);
  if (allowed.empty()) return;
  fields.add("access-control-allow-origin", allowed);
  if (policy->credentials) fields.add("access-control-allow-credentials", "true");
  if (preflight_method(request.message.method, request.message.fields).empty()) {
    if (!policy->expose.empty()) fields.add("access-control-expose-headers", policy->expose);
    return;
  }
  add_vary(request.arena, fields, "access-control-request-method");
  add_vary(request.arena, fields, "access-control-request-headers");
  if (!policy->methods.empty()) fields.add("access-control-allow-methods", policy->methods);
  const auto asked = request.message.fields.get("access-control-request-headers");
  if (!policy->headers.empty()) {
    fields.add("access-control-allow-headers", policy->headers);
  } else if (asked && is_field_name_list(*asked)) {
    fields.add("access-control-allow-headers", *asked);
  }
  if (!policy->max_age.empty()) fields.add("access-control-max-age", policy->max_age);
}

}  // namespace gatehouse::gateway
