#pragma once
// Who is not served at all: configured networks (`bans.deny`) and timed bans. `bans.allow` overrides both.

#include "gateway/layers/bans/ban_table.h"
#include "gateway/layers/layer.h"
#include "gateway/network_map.h"

namespace gatehouse::gateway {

class SharedState;

class BansLayer final : public Layer {
 public:
  BansLayer(const Config& config, SharedState& state, const Clock& clock);

  telemetry::Layer id() const noexcept override { return telemetry::Layer::bans; }
  Decision decide(Request& request) const override;

  // At accept, before a byte is read or a handshake paid for. Says no only when the layer enforces on every route: a
  // connection that is refused here leaves no decision record. Not for peers whose PROXY header or X-Forwarded-For is
  // believed: there the peer isn't the client.
  bool refuse_connection(const IpAddress& address) const noexcept;

 private:
  const Config& config_;
  SharedState& state_;
  const Clock& clock_;
  NetworkMap deny_, allow_;
  bool enforced_everywhere_;
};

}  // namespace gatehouse::gateway
