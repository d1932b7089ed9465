#include "gateway/layers/limits/limits_layer.h"

#include "gateway/evidence.h"

namespace gatehouse::gateway {

std::uint64_t LimitsLayer::body_max(const ListenerConfig& listener, const RouteConfig* route) noexcept {
  return route != nullptr && route->body_bytes ? *route->body_bytes : listener.limits.body_bytes;
}

Decision LimitsLayer::decide(Request& request) const {
  if (!request.message.content_length) return {};
  const std::uint64_t max = body_max(*request.listener, request.route);
  if (*request.message.content_length <= max) return {};
  Decision decision{Verdict::deny, "limits.body"};
  decision.status = 413;
  decision.evidence =
      evidence(request.arena, "content-length {} is above {} bytes", *request.message.content_length, max);
  return decision;
}

}  // namespace gatehouse::gateway
