#include "identity/users/plain_text.h"

#include <algorithm>

#include "codec/json_writer.h"

namespace gatehouse::identity {
namespace {

// What one valid sequence stands for.
char32_t decode(std::string_view sequence) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
  switch (sequence.size()) {
    case 1: return byte(0);
    case 2: return ((byte(0) & 0x1fu) << 6) | (byte(1) & 0x3fu);
    case 3: return ((byte(0) & 0x0fu) << 12) | ((byte(1) & 0x3fu) << 6) | (byte(2) & 0x3fu);
    default:
      return ((byte(0) & 0x07u) << 18) | ((byte(1) & 0x3fu) << 12) | ((byte(2) & 0x3fu) << 6) | (byte(3) & 0x3fu);
  }
}

bool is_allowed(char32_t c, LineFeeds line_feeds) noexcept {
  if (c == U'\n') return line_feeds == LineFeeds::allowed;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) return false;
  return !(c == 0x2028 || c == 0x2029 || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff);
}

// Calls `use(sequence, allowed)` for each character and each byte that is none.
template <class Use>
void for_each_character(std::string_view text, LineFeeds line_feeds, Use use) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at < end;) {
    std::size_t bad_bytes = 0;
    const std::size_t length = codec::utf8_sequence(at, end, &bad_bytes);
    const std::string_view sequence(at, length == 0 ? bad_bytes : length);
    use(sequence, length != 0 && is_allowed(decode(sequence), line_feeds));
    at += sequence.size();
  }
}

}  // namespace

bool is_plain_text(std::string_view text, std::size_t bytes_max, LineFeeds line_feeds) noexcept {
  if (text.size() > bytes_max) return false;
  bool good = true;
  for_each_character(text, line_feeds, [&](std::string_view, bool allowed) { good &= allowed; });
  return good;
}

std::string as_plain_text(std::string_view text, std::size_t bytes_max) {
  std::string plain;
  for_each_character(codec::utf8_prefix(text, bytes_max), LineFeeds::refused,
                     [&](std::string_view sequence, bool allowed) { plain += allowed ? sequence : " "; });
  return plain;
}

std::size_t characters_of(std::string_view utf8) noexcept {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return lower;
}

}  // namespace gatehouse::identity
