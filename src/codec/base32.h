#pragma once
// Base32 (RFC 4648 §6) without padding, as otpauth URIs carry the secrets of one-time passwords; strict like base64.h.
//
// Thread safety: pure functions.

#include <optional>
#include <string>
#include <string_view>

namespace gatehouse::codec {

std::string base32_encode(std::string_view bytes);  // upper case
// Null for anything but the canonical encoding: other bytes, lower case, padding, a length that no encoder produces,
// trailing bits that are not zero.
std::optional<std::string> base32_decode(std::string_view text);

}  // namespace gatehouse::codec
