#include "gateway/config.h"

namespace gatehouse::gateway {

std::string Address::to_string() const {
  if (!unix_path.empty()) return "unix:" + unix_path;
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Mode Config::mode(telemetry::Layer layer, const RouteConfig* route) const noexcept {
  if (route != nullptr) {
    for (const auto& [named, mode] : route->modes) {
      if (named == layer) return mode;
    }
    if (layer == telemetry::Layer::waf && route->waf.mode) return *route->waf.mode;
  }
  for (const auto& [named, mode] : modes) {
    if (named == layer) return mode;
  }
  return layer == telemetry::Layer::waf ? waf.mode : Mode::enforce;
}

}  // namespace gatehouse::gateway
