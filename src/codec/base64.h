#pragma once
// Base64 and base64url (RFC 4648 §4 and §5), strict: one text for each byte string, and one byte string for each text.
//
// Refused when decoding: bytes outside the alphabet (white space too), missing or surplus padding, a length that no
// encoder produces, and trailing bits that are not zero. Two spellings of one signature would make two cache entries
// and two log lines of one token.
// Thread safety: pure functions.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace gatehouse::codec {

std::string base64_encode(std::string_view bytes);     // the standard alphabet, padded
std::string base64url_encode(std::string_view bytes);  // the URL-safe alphabet, no padding (RFC 7515 §2)

// Null for anything but the canonical encoding.
std::optional<std::string> base64_decode(std::string_view text);     // padding required
std::optional<std::string> base64url_decode(std::string_view text);  // padding refused

// Without allocation: bytes written into `out`, which holds at least `base64_decoded_size(text.size())`.
constexpr std::size_t base64_decoded_size(std::size_t text_size) noexcept { return text_size / 4 * 3 + text_size % 4; }
std::optional<std::size_t> base64url_decode_into(std::string_view text, std::span<char> out) noexcept;

}  // namespace gatehouse::codec
