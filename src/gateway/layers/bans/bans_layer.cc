#include "gateway/layers/bans/bans_layer.h"

#include "gateway/evidence.h"
#include "gateway/shared_state.h"

namespace gatehouse::gateway {

BansLayer::BansLayer(const Config& config, SharedState& state, const Clock&)
    : config_(config), state_(state), deny_(config.bans.deny), allow_(config.bans.allow) {}

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

}  // namespace gatehouse::gateway
