// URL encoding, with IIS's %uXXXX, and the way from UTF-8 into it.
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

enum class PercentU : bool { literal, decoded };

bool decode_percent(std::string_view in, PercentU percent_u, std::string& out) {
  std::size_t at = find_any<'%', '+'>(in);
  if (at == in.size()) return false;
  Rewriter result(in, at, in.size(), out);
  while (at < in.size()) {
    const std::string_view rest = in.substr(at);
    if (rest[0] == '+') {
      result.put(' ');
      at += 1;
    } else if (rest.size() >= 3 && is_hex(rest[1]) && is_hex(rest[2])) {
      result.put(hex_pair(rest[1], rest[2]));
      at += 3;
    } else if (percent_u == PercentU::decoded && rest.size() >= 6 && (rest[1] | 0x20) == 'u' && is_hex(rest[2]) &&
               is_hex(rest[3]) && is_hex(rest[4]) && is_hex(rest[5])) {
      result.put(low_byte_of_utf16(rest.substr(2, 4)));
      at += 6;
    } else {
      result.put('%');  // no escape: what follows stands for itself
      at += 1;
    }
    const std::size_t next = find_any<'%', '+'>(in, at);
    result.copy(in.substr(at, next - at));
    at = next;
  }
  return result.finish();
}

constexpr bool is_kept_by_url_encode(char c) noexcept {
  return c == '*' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

// A lead byte's claim, and whether the bytes that follow keep it. Overlong forms, surrogates and values above U+10FFFF
// are decoded all the same: what matters is what a careless back end would make of them.
struct Sequence {
  unsigned length = 0;  // 0: no lead byte of a sequence
  bool complete = false;
  std::uint32_t value = 0;
};

Sequence sequence_at(std::string_view rest) noexcept {
  const std::uint8_t lead = byte_at(rest, 0);
  Sequence sequence;
  if ((lead & 0xe0) == 0xc0) {
    sequence = {2, true, lead & 0x1fu};
  } else if ((lead & 0xf0) == 0xe0) {
    sequence = {3, true, lead & 0x0fu};
  } else if ((lead & 0xf8) == 0xf0) {
    sequence = {4, true, lead & 0x07u};
  }
  for (unsigned i = 1; i < sequence.length; ++i) {
    if (i >= rest.size() || (byte_at(rest, i) & 0xc0) != 0x80) {
      sequence.complete = false;
      break;
    }
    sequence.value = sequence.value << 6 | (byte_at(rest, i) & 0x3fu);
  }
  return sequence;
}

void put_percent_u(std::uint32_t value, Rewriter& result) noexcept {
  result.copy("%u");
  int shift = 12;  // four digits at least
  while (shift < 20 && value >> (shift + 4) != 0) shift += 4;
  for (; shift >= 0; shift -= 4) result.put("0123456789abcdef"[value >> shift & 15]);
}

bool is_overlong(const Sequence& sequence) noexcept {
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  return sequence.value < kSmallest[sequence.length];
}

}  // namespace

bool url_decode(std::string_view in, std::string& out) { return decode_percent(in, PercentU::literal, out); }
bool url_decode_uni(std::string_view in, std::string& out) { return decode_percent(in, PercentU::decoded, out); }

bool url_encode(std::string_view in, std::string& out) {
  const auto first = std::find_if_not(in.begin(), in.end(), is_kept_by_url_encode);
  if (first == in.end()) return false;
  Rewriter result(in, static_cast<std::size_t>(first - in.begin()), in.size() * 3, out);
  for (const char c : in.substr(result.size())) {
    if (is_kept_by_url_encode(c)) {
      result.put(c);
    } else if (c == ' ') {
      result.put('+');
    } else {
      result.put('%');
      result.put("0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4]);
      result.put("0123456789abcdef"[static_cast<std::uint8_t>(c) & 15]);
    }
  }
  return result.finish();
}

bool utf8_to_unicode(std::string_view in, std::string& out) {
  const std::size_t first = std::min(find_range<0x80, 0xff>(in), find_any<'\0'>(in));
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size() * 4, out);  // worst: two bytes, overlong, become seven
  for (std::size_t at = first; at < in.size();) {
    const char lead = in[at];
    if (static_cast<std::uint8_t>(lead) < 0x80) {
      if (lead != '\0') result.put(lead);
      at += 1;
      continue;
    }
    const Sequence sequence = sequence_at(in.substr(at));
    // What cannot start a sequence is kept; the start of one that is incomplete is dropped.
    if (sequence.length == 0 || static_cast<std::uint8_t>(lead) >= 0xf5) result.put(lead);
    if (!sequence.complete) {
      at += 1;
      continue;
    }
    put_percent_u(sequence.value, result);
    // A mark that rules can see: no writer of UTF-8 produces these.
    if (is_overlong(sequence) || (sequence.value >= 0xd800 && sequence.value <= 0xdfff)) result.put(lead);
    at += sequence.length;
  }
  return result.finish();
}

}  // namespace gatehouse::waf
