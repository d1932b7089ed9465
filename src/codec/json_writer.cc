#include "codec/json_writer.h"

#include <bit>
#include <cmath>
#include <cstdint>

namespace gatehouse::codec {
namespace {

constexpr std::uint64_t kOnes = 0x0101010101010101;
constexpr std::uint64_t kHighs = 0x8080808080808080;

// The high bit of every byte that cannot stand as it is: below 0x20, '"', '\\', or above 0x7f. Bits above the first hit
// may be wrong (borrows), the first is exact, and only the first is used.
constexpr std::uint64_t special_bytes(std::uint64_t word) noexcept {
  const std::uint64_t quote = word ^ (kOnes * '"');
  const std::uint64_t backslash = word ^ (kOnes * '\\');
  return ((word - kOnes * 0x20) | (quote - kOnes) | (backslash - kOnes) | word) & kHighs;
}

constexpr bool is_special(char c) noexcept {
  const auto byte = static_cast<std::uint8_t>(c);
  return byte < 0x20 || byte >= 0x80 || byte == '"' || byte == '\\';
}

std::uint64_t load_little(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

constexpr bool is_continuation(char c) noexcept { return (static_cast<std::uint8_t>(c) & 0xc0) == 0x80; }

}  // namespace

std::size_t utf8_sequence(const char* at, const char* end, std::size_t* bad_bytes) noexcept {
  const auto lead = static_cast<std::uint8_t>(*at);
  std::size_t length = 0;
  // The second byte's range tells overlong forms, surrogates and what lies above U+10FFFF (Unicode table 3-7).
  std::uint8_t low = 0x80, high = 0xbf;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    if (lead == 0xe0) low = 0xa0;
    if (lead == 0xed) high = 0x9f;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    if (lead == 0xf0) low = 0x90;
    if (lead == 0xf4) high = 0x8f;
  }
  *bad_bytes = 1;
  if (length == 0 || end - at < 2) return 0;
  const auto second = static_cast<std::uint8_t>(at[1]);
  if (second < low || second > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    *bad_bytes = i;
    if (static_cast<std::size_t>(end - at) <= i || !is_continuation(at[i])) return 0;
  }
  return length;
}

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept {
  if (text.size() <= bytes_max) return text;
  std::size_t cut = bytes_max;
  // A sequence has at most three continuation bytes; more of them are no sequence, and where they are cut is no matter.
  for (int i = 0; i < 3 && cut > 0 && is_continuation(text[cut]); ++i) --cut;
  return text.substr(0, cut);
}

void JsonWriter::escaped(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    make_room(16);
    // Copies eight bytes before it knows how many of them are good: the rest is written over.
    while (end - at >= 8 && kBufferBytes - used_ >= 8) {
      const std::uint64_t special = special_bytes(load_little(at));
      std::memcpy(buffer_ + used_, at, 8);
      const std::size_t good = special == 0 ? 8 : static_cast<std::size_t>(std::countr_zero(special)) / 8;
      at += good;
      used_ += good;
      if (special != 0) break;
    }
    if (at == end) return;
    if (end - at < 8 && copy_tail(at, static_cast<std::size_t>(end - at))) return;
    while (at != end && used_ != kBufferBytes && !is_special(*at)) {
      buffer_[used_++] = *at++;
      if (end - at >= 8) break;
    }
    if (at != end && is_special(*at)) at = escape_special(at, end);
  }
}

// The last 1 to 7 bytes at once, if none of them is special: loads that overlap cover any such length.
bool JsonWriter::copy_tail(const char* at, std::size_t size) noexcept {
  if (kBufferBytes - used_ < 8) return false;
  char* const to = buffer_ + used_;
  if (size >= 4) {
    std::uint32_t first, last;
    std::memcpy(&first, at, 4);
    std::memcpy(&last, at + size - 4, 4);
    if (special_bytes(std::uint64_t{last} << 32 | first) != 0) return false;
    std::memcpy(to, &first, 4);
    std::memcpy(to + size - 4, &last, 4);
  } else {
    const char first = at[0], middle = at[size / 2], last = at[size - 1];
    if (is_special(first) || is_special(middle) || is_special(last)) return false;
    to[0] = first;
    to[size / 2] = middle;
    to[size - 1] = last;
  }
  used_ += size;
  return true;
}

const char* JsonWriter::escape_special(const char* at, const char* end) {
  constexpr char kHex[] = "0123456789abcdef";
  make_room(8);
  const auto byte = static_cast<std::uint8_t>(*at);
  if (byte >= 0x80) {
    std::size_t bad_bytes = 0;
    const std::size_t length = utf8_sequence(at, end, &bad_bytes);
    if (length == 0) {
      raw("\xef\xbf\xbd");
      return at + bad_bytes;
    }
    // U+0080 to U+009F are control characters too: a terminal takes U+009B for ESC [.
    if (byte == 0xc2 && static_cast<std::uint8_t>(at[1]) < 0xa0) {
      const auto control = static_cast<std::uint8_t>(at[1]);
      const char text[] = {'\\', 'u', '0', '0', kHex[control >> 4], kHex[control & 15]};
      raw({text, sizeof text});
    } else {
      raw({at, length});
    }
    return at + length;
  }
  switch (*at) {
    case '"': raw("\\\""); break;
    case '\\': raw("\\\\"); break;
    case '\n': raw("\\n"); break;
    case '\r': raw("\\r"); break;
    case '\t': raw("\\t"); break;
    default: {
      const char text[] = {'\\', 'u', '0', '0', kHex[byte >> 4], kHex[byte & 15]};
      raw({text, sizeof text});
    }
  }
  return at + 1;
}

void JsonWriter::number(double value) {
  if (!std::isfinite(value)) {
    raw("null");
    return;
  }
  make_room(32);
  used_ = static_cast<std::size_t>(std::to_chars(buffer_ + used_, buffer_ + kBufferBytes, value).ptr - buffer_);
}

void JsonWriter::append_large(std::string_view text) {
  flush();
  if (text.size() <= kBufferBytes) {
    std::memcpy(buffer_, text.data(), text.size());
    used_ = text.size();
  } else {
    out_.append(text);
  }
}

}  // namespace gatehouse::codec
