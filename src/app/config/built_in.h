#pragma once
// Services and routes that a configuration has without writing them down: those of parts of this program.

#include "gateway/config.h"

namespace gatehouse::app {

inline constexpr std::string_view kIdentityService = "identity";
inline constexpr std::string_view kLoginService = "login";

// Behind those of the file; the file has none of these names.
void add_built_in(gateway::Config& config);
// Is it a route to a part of this program?
bool is_built_in(const gateway::Config& config, const gateway::RouteConfig& route);
// The configuration as its file has it: for showing and comparing.
gateway::Config without_built_in(gateway::Config config);

// host (without port), path ("" or "/login") and origin ("https://shop.example") of an issuer that the configuration
// has accepted.
struct IssuerParts {
  std::string host, path, origin;
};
IssuerParts split_issuer(std::string_view issuer);

}  // namespace gatehouse::app
