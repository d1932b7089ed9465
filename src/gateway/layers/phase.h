#pragma once
#include <cstdint>

namespace gatehouse::gateway {

// Layers that count by who asks work twice: before authentication by what is known of anybody, after it by the user.
enum class Phase : std::uint8_t { before_authentication, after_authentication };

}  // namespace gatehouse::gateway
