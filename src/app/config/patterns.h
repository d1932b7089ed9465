#pragma once
// The kinds that say which requests a route takes, and what is done to their headers.

#include "app/config/scalars.h"

namespace gatehouse::app {

Kind<std::string> host_pattern();                                        // shop.example, *.shop.example, an IP address
Kind<std::string> path_pattern();                                        // /a/b, /a/*, /a/{id}/x, /a/**
Kind<std::vector<gateway::HeaderMatch>> header_matches();                // { x-api: "2", x-debug: true }
Kind<std::vector<std::pair<std::string, std::string>>> query_matches();  // { page: "1" }
Kind<std::vector<std::pair<std::string, std::string>>> header_values(bool request);  // of headers set or added

}  // namespace gatehouse::app
