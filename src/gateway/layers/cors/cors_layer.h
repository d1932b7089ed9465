#pragma once
// Cross-origin requests of browsers (Fetch standard, "CORS protocol"): preflights are answered here, other answers get
// their fields. On a route with `cors` the upstream's own access-control-* fields are replaced: one place decides.
//
// Before authentication in the order of layers: a preflight never carries credentials.
// `*` allows every origin, but never with credentials, whatever the configuration says.

#include <optional>
#include <string>
#include <vector>

#include "gateway/layers/layer.h"

namespace gatehouse::gateway {

class SharedState;

class CorsLayer final : public Layer {
 public:
  CorsLayer(const Config& config, SharedState& state, const Clock& clock);

  // The method that a preflight asks about, empty when the request is none. Routing must match a preflight by it: the
  // route of a GET says nothing of OPTIONS.
  static std::string_view preflight_method(std::string_view method, const http::Fields& fields) noexcept;

  telemetry::Layer id() const noexcept override { return telemetry::Layer::cors; }
  Decision decide(Request& request) const override;
  void on_response(Request& request, http::ResponseHead& response) const override;
  // Without its fields a browser shows a page nothing of a refusal, not even that it was one.
  bool decorates_every_response() const noexcept override { return true; }

 private:
  struct Policy {
    std::vector<std::string> origins;
    bool any_origin = false;
    bool credentials = false;
    std::string methods, headers, expose, max_age;  // as sent; `headers` empty: what the preflight asks for
  };
  const Policy* policy_of(const Request& request) const noexcept;
  // What to send as access-control-allow-origin; empty: not allowed.
  static std::string_view allowed_origin(const Policy& policy, std::string_view origin) noexcept;

  std::vector<std::optional<Policy>> routes_;  // by route index
};

}  // namespace gatehouse::gateway
