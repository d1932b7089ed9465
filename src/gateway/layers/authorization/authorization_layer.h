#pragma once
// Whether the one who asks may: a route's roles, scopes, audience and second factor. All that is given must hold.
//
// A public route has no such conditions. Thread safety: as Layer; it keeps nothing.

#include <memory>

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class Logins;

class AuthorizationLayer final : public Layer {
 public:
  explicit AuthorizationLayer(std::shared_ptr<Logins> logins = nullptr);
  ~AuthorizationLayer() override;
  telemetry::Layer id() const noexcept override { return telemetry::Layer::authorization; }
  // 403: who asks is known, and 401 or a redirect to the provider where somebody who is signed in needs a (fresher)
  // second factor. The challenge says what would help: more scopes (RFC 6750 §3.1), or a second factor
  // (RFC 9470 §3).
  Decision decide(Request& request) const override;

 private:
  Decision step_up(Request& request, std::string_view reason, std::string_view evidence_text) const;
  const std::shared_ptr<Logins> logins_;  // null: no route has `login`
};

}  // namespace gatehouse::gateway
