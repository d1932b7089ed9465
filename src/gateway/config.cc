#include "gateway/config.h"

#include <fmt/format.h>

namespace gatehouse::gateway {
namespace {

const Mode* find(const std::vector<std::pair<telemetry::Layer, Mode>>& modes, telemetry::Layer layer) noexcept {
  for (const auto& [named, mode] : modes) {
    if (named == layer) return &mode;
  }
  return nullptr;
}

}  // namespace

std::string Address::to_string() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port) : fmt::format("[{}]:{}", host, port);
}

Mode Config::mode(telemetry::Layer layer, const RouteConfig* route) const noexcept {
  if (route != nullptr) {
    if (const Mode* mode = find(route->modes, layer)) return *mode;
  }
  const Mode* mode = find(modes, layer);
  return mode != nullptr ? *mode : Mode::enforce;
}

}  // namespace gatehouse::gateway
