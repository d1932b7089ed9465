#include "gateway/layers/bans/bans_layer.h"

#include <algorithm>

#include "gateway/evidence.h"
#include "gateway/shared_state.h"

namespace gatehouse::gateway {
namespace {

bool softened(const std::vector<std::pair<telemetry::Layer, Mode>>& modes) noexcept {
  return std::any_of(modes.begin(), modes.end(), [](const auto& entry) {
    return entry.first == telemetry::Layer::bans && entry.second != Mode::enforce;
  });
}

}  // namespace

BansLayer::BansLayer(const Config& config, SharedState& state, const Clock& clock)
    : config_(config), state_(state), clock_(clock), deny_(config.bans.deny), allow_(config.bans.allow) {
  enforced_everywhere_ =
      !softened(config.modes) &&
      std::none_of(config.routes.begin(), config.routes.end(), [](const auto& route) { return softened(route.modes); });
}

Decision BansLayer::decide(Request& request) const {
  if (allow_.contains(request.client_ip)) return {};
  if (!deny_.empty()) {
    if (const auto index = deny_.find(request.client_ip)) {
      Decision decision{Verdict::deny, "ban.network"};
      decision.status = 403;
      decision.evidence =
          evidence(request.arena, "{} is in {}", request.client_ip.to_string(), config_.bans.deny[*index].to_string());
      return decision;
    }
  }
  const Duration left = state_.bans().banned(request.client_ip, request.now);
  if (left.count() == 0) return {};
  Decision decision{Verdict::deny, "ban.timed"};
  decision.status = 403;
  decision.evidence =
      evidence(request.arena, "{} is banned for another {}", request.client_ip.to_string(), duration_text(left));
  return decision;
}

bool BansLayer::refuse_connection(const IpAddress& address) const noexcept {
  if (!enforced_everywhere_ || allow_.contains(address)) return false;
  return deny_.contains(address) || state_.bans().banned(address, clock_.now()).count() != 0;
}

}  // namespace gatehouse::gateway
