#pragma once
// Whether the one who asks may: a route's roles, scopes, audience and second factor. All that is given must hold.
//
// A public route has no such conditions. Thread safety: as Layer; it keeps nothing.

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class AuthorizationLayer final : public Layer {
 public:
  telemetry::Layer id() const noexcept override { return telemetry::Layer::authorization; }
  // Always 403: who asks is known. The challenge says what would help: more scopes (RFC 6750 §3.1), or a second factor
  // (RFC 9470 §3).
  Decision decide(Request& request) const override;
};

}  // namespace gatehouse::gateway
