#pragma once
// SHA-256, SHA-512, HMAC-SHA-256 and comparison in constant time.
//
// Thread safety: pure functions; each thread keeps one context, so that a digest costs no allocation.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace gatehouse::crypto {

using Sha256 = std::array<std::uint8_t, 32>;

Sha256 sha256(std::string_view bytes) noexcept;
std::string sha512(std::string_view bytes);  // 64 bytes
Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept;

// Takes as long for equal as for different bytes of one length; the length itself is not hidden.
bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept;

std::string to_hex(std::string_view bytes);  // lower case
inline std::string_view as_text(const Sha256& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

}  // namespace gatehouse::crypto
