#pragma once
// SHA-1, for what still prescribes it without relying on it: the WebSocket handshake (RFC 6455 §4.2.2) and SecLang's
// `t:sha1`. Nothing that must resist an attacker may use it.
// HMAC-SHA-1 is another matter: its security doesn't rest on collisions (RFC 6194 §3.3), and it is what every
// authenticator app computes (RFC 4226, RFC 6238).

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::crypto {

using Sha1 = std::array<std::uint8_t, 20>;
Sha1 sha1(std::string_view bytes) noexcept;
Sha1 hmac_sha1(std::string_view key, std::string_view bytes) noexcept;

}  // namespace gatehouse::crypto
