#pragma once
// The fields of answers: security fields by default, nothing that names the software behind us, and the route's edits.
//
// What the service set itself is kept unless it protects nothing: an unknown X-Frame-Options, a
// Strict-Transport-Security without a positive max-age, anything but `nosniff`, `unsafe-url`. A service's own
// Content-Security-Policy is kept whole; X-Frame-Options is set beside it (browsers prefer the policy's
// frame-ancestors where it has them).
// Last in the order of `on_response`: the route's edits have the last word.

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class SharedState;

class HeaderPolicyLayer final : public Layer {
 public:
  HeaderPolicyLayer(const Config& config, SharedState& state, const Clock& clock);

  telemetry::Layer id() const noexcept override { return telemetry::Layer::header_policy; }
  Decision decide(Request&) const override { return {}; }
  void on_response(Request& request, http::ResponseHead& response) const override;

 private:
  SecurityHeadersConfig unrouted_;  // for answers without a route
};

// Removes, sets and adds, in this order. For requests: called with the canonical fields before the upstream's request
// is built. Framing and hop-by-hop fields can't be set: they would be ignored or do harm, so they are skipped.
void edit_fields(const HeaderEdit& edit, http::Fields& fields);

}  // namespace gatehouse::gateway
