#pragma once
// Who may call a route from where. A client's zone is that of the most specific network it is in, else the listener's.

#include "gateway/layers/layer.h"
#include "gateway/network_map.h"

namespace gatehouse::gateway {

class SharedState;

class ZoneLayer final : public Layer {
 public:
  ZoneLayer(const Config& config, SharedState& state, const Clock& clock);

  // Index into the configuration's zones, for `Request::zone`. Not from the address of a Unix socket's peer: it has
  // none.
  std::uint32_t zone_of(const IpAddress& client, const ListenerConfig& listener) const noexcept {
    return networks_.empty() ? listener.zone : networks_.find(client).value_or(listener.zone);
  }

  telemetry::Layer id() const noexcept override { return telemetry::Layer::zone; }
  Decision decide(Request& request) const override;

 private:
  const Config& config_;
  NetworkMap networks_;
};

}  // namespace gatehouse::gateway
