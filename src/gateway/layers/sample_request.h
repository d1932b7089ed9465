#pragma once
// A request with everything around it, for the tests of the layers.

#include "gateway/layers/layer.h"
#include "gateway/shared_state.h"

namespace gatehouse::gateway {

// A configuration with the built-in zones, one plain listener, one service and one open route.
inline Config sample_config() {
  Config config;
  config.zones = {{"external", {}}, {"dmz", {}}, {"corporate", {}}, {"hybrid", {}}};
  config.listeners.resize(1);
  config.listeners[0].name = "public";
  config.services.resize(1);
  config.services[0].name = "orders";
  config.routes.resize(1);
  config.routes[0].name = "orders-read";
  config.routes[0].services = {{0, 1}};
  config.rate_entries_max = 1024;
  return config;
}

struct SampleRequest {
  SampleRequest(const Config& config, const Clock& clock, std::string_view client = "203.0.113.9")
      : request(arena, record) {
    connection.peer = connection.client = *IpAddress::parse(client);
    request.connection = &connection;
    request.config = &config;
    request.listener = &config.listeners[0];
    request.route = &config.routes[0];
    request.client_ip = connection.client;
    request.now = clock.now();
    request.wall = clock.wall();
    request.message.method = "GET";
    request.message.scheme = "https";
    request.message.authority = request.message.host = "shop.example";
    request.message.path = "/orders";
  }

  Arena arena;
  telemetry::DecisionRecord record;
  http::ConnectionInfo connection;
  Request request;
};

}  // namespace gatehouse::gateway
