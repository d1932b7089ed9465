#pragma once
// The route's bound on request bodies, checked against the announced length before anything is read. The bound on what
// really comes is the stream's (`ServerStream::set_body_max`), which the exchange sets to `body_max`. Bounds of the
// header block are the codec's.

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class SharedState;

class LimitsLayer final : public Layer {
 public:
  LimitsLayer(const Config&, SharedState&, const Clock&) {}

  // Bytes: the route's, or the listener's.
  static std::uint64_t body_max(const ListenerConfig& listener, const RouteConfig* route) noexcept;

  telemetry::Layer id() const noexcept override { return telemetry::Layer::limits; }
  Decision decide(Request& request) const override;
};

}  // namespace gatehouse::gateway
