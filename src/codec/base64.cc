#include "codec/base64.h"

#include <array>

namespace gatehouse::codec {
namespace {

constexpr std::string_view kStandard = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kUrlSafe = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::uint8_t kInvalid = 0x80;  // the one bit that no 6-bit value has

constexpr std::array<std::uint8_t, 256> reverse_of(std::string_view alphabet) {
  std::array<std::uint8_t, 256> table{};
  table.fill(kInvalid);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    table[static_cast<std::uint8_t>(alphabet[i])] = static_cast<std::uint8_t>(i);
  }
  return table;
}
constexpr auto kStandardReverse = reverse_of(kStandard);
constexpr auto kUrlSafeReverse = reverse_of(kUrlSafe);

std::uint32_t byte_at(std::string_view bytes, std::size_t i) { return static_cast<std::uint8_t>(bytes[i]); }

std::string encode(std::string_view bytes, std::string_view alphabet, bool padded) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  std::size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const std::uint32_t group = byte_at(bytes, i) << 16 | byte_at(bytes, i + 1) << 8 | byte_at(bytes, i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) text += alphabet[group >> shift & 63];
  }
  const std::size_t rest = bytes.size() - i;
  if (rest == 0) return text;
  const std::uint32_t group = byte_at(bytes, i) << 16 | (rest == 2 ? byte_at(bytes, i + 1) << 8 : 0);
  text += alphabet[group >> 18 & 63];
  text += alphabet[group >> 12 & 63];
  if (rest == 2) text += alphabet[group >> 6 & 63];
  if (padded) text.append(3 - rest, '=');
  return text;
}

// Without padding; `out` is large enough.
std::optional<std::size_t> decode(std::string_view text, const std::array<std::uint8_t, 256>& reverse,
                                  char* out) noexcept {
  const auto value = [&](std::size_t i) -> std::uint32_t { return reverse[static_cast<std::uint8_t>(text[i])]; };
  char* to = out;
  std::size_t i = 0;
  for (; i + 4 <= text.size(); i += 4) {
    const std::uint32_t a = value(i), b = value(i + 1), c = value(i + 2), d = value(i + 3);
    if ((a | b | c | d) & kInvalid) return std::nullopt;
    const std::uint32_t group = a << 18 | b << 12 | c << 6 | d;
    *to++ = static_cast<char>(group >> 16);
    *to++ = static_cast<char>(group >> 8);
    *to++ = static_cast<char>(group);
  }
  const std::size_t rest = text.size() - i;
  if (rest == 0) return static_cast<std::size_t>(to - out);
  if (rest == 1) return std::nullopt;  // six bits don't make a byte
  const std::uint32_t a = value(i), b = value(i + 1), c = rest == 3 ? value(i + 2) : 0;
  if ((a | b | c) & kInvalid) return std::nullopt;
  const std::uint32_t group = a << 18 | b << 12 | c << 6;
  if ((group & (rest == 3 ? 0xffU : 0xffffU)) != 0) return std::nullopt;  // trailing bits
  *to++ = static_cast<char>(group >> 16);
  if (rest == 3) *to++ = static_cast<char>(group >> 8);
  return static_cast<std::size_t>(to - out);
}

std::optional<std::string> decode_string(std::string_view text, const std::array<std::uint8_t, 256>& reverse) {
  std::string bytes(base64_decoded_size(text.size()), '\0');
  const auto size = decode(text, reverse, bytes.data());
  if (!size) return std::nullopt;
  bytes.resize(*size);
  return bytes;
}

}  // namespace

std::string base64_encode(std::string_view bytes) { return encode(bytes, kStandard, true); }
std::string base64url_encode(std::string_view bytes) { return encode(bytes, kUrlSafe, false); }

std::optional<std::string> base64_decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return decode_string(text, kStandardReverse);
}

std::optional<std::string> base64url_decode(std::string_view text) { return decode_string(text, kUrlSafeReverse); }

std::optional<std::size_t> base64url_decode_into(std::string_view text, std::span<char> out) noexcept {
  if (out.size() < base64_decoded_size(text.size())) return std::nullopt;
  return decode(text, kUrlSafeReverse, out.data());
}

}  // namespace gatehouse::codec
