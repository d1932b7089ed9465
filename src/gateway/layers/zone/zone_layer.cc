#include "gateway/layers/zone/zone_layer.h"

#include <algorithm>

#include "gateway/evidence.h"

namespace gatehouse::gateway {
namespace {

NetworkMap map_of(const std::vector<Zone>& zones) {
  std::vector<NetworkMap::Entry> entries;
  for (std::uint32_t zone = 0; zone < zones.size(); ++zone) {
    for (const Network& network : zones[zone].networks) entries.push_back({network, zone});
  }
  return NetworkMap(entries);
}

}  // namespace

ZoneLayer::ZoneLayer(const Config& config, SharedState&, const Clock&)
    : config_(config), networks_(map_of(config.zones)) {}

Decision ZoneLayer::decide(Request& request) const {
  if (request.route == nullptr) return {};
  const std::vector<std::uint32_t>& allowed = request.route->zones;
  const bool may = allowed.empty() ? request.zone == request.listener->zone
                                   : std::find(allowed.begin(), allowed.end(), request.zone) != allowed.end();
  if (may) return {};
  std::string names;
  for (const std::uint32_t zone : allowed) names += (names.empty() ? "" : ", ") + config_.zones[zone].name;
  if (allowed.empty()) names = config_.zones[request.listener->zone].name;
  Decision decision{Verdict::deny, "zone.forbidden"};
  decision.status = 403;
  decision.evidence = evidence(request.arena, "{} is in zone {}; route {} is open to {}", request.client_ip.to_string(),
                               config_.zones[request.zone].name, request.route->name, names);
  return decision;
}

}  // namespace gatehouse::gateway
