#pragma once
// Who is not served at all: configured networks (`bans.deny`) and timed bans. `bans.allow` overrides both. It answers
// instead of closing the connection at accept, so that every refusal has its decision record (docs/decisions).

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

 private:
  const Config& config_;
  SharedState& state_;
  NetworkMap deny_, allow_;
};

}  // namespace gatehouse::gateway
