#pragma once
// What `gatehouse dev` prints once the shop is open: addresses, requests to paste, attacks to try.

#include <cstdint>
#include <string>

namespace gatehouse::app {

void print_demo_text(const std::string& folder, std::uint16_t port, const std::string& program);

}  // namespace gatehouse::app
