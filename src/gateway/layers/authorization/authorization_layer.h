#pragma once
// Whether the one who asks may: a route's roles, scopes, audience and second factor. All that is given must hold.
//
// A public route has no such conditions. Thread safety: as Layer; it keeps nothing.

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class AuthorizationLayer final : public Layer {
 public:
  telemetry::Layer id() const noexcept override { return telemetry::Layer::authorization; }
  // 403; for a missing or stale second factor 401 with the challenge of RFC 9470 §3, which tells a client to step up.
  Decision decide(Request& request) const override;
};

}  // namespace gatehouse::gateway
