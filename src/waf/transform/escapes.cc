// Escapes of HTML, JavaScript, CSS and ANSI C.
#include <array>

#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

struct Decoded {
  std::size_t consumed = 0;  // 0: no escape, the byte stands for itself
  char byte = 0;
  bool nothing = false;  // the escape stands for no byte
};

// Replaces what `decode` recognises; it is asked at each `kEscape` with the rest of the value.
template <char kEscape, class Decode>
bool replace_escapes(std::string_view in, std::string& out, Decode decode) {
  std::size_t at = find_any<kEscape>(in);
  if (at == in.size()) return false;
  Rewriter result(in, at, in.size(), out);
  while (at < in.size()) {
    const Decoded decoded = decode(in.substr(at));
    if (decoded.consumed == 0) {
      result.put(kEscape);
      at += 1;
    } else {
      if (!decoded.nothing) result.put(decoded.byte);
      at += decoded.consumed;
    }
    if (at < in.size() && in[at] == kEscape) continue;
    const std::size_t next = find_any<kEscape>(in, at);
    result.copy(in.substr(at, next - at));
    at = next;
  }
  return result.finish();
}

template <class Predicate>
std::size_t run_length(std::string_view text, std::size_t length_max, Predicate belongs) noexcept {
  std::size_t length = 0;
  while (length < std::min(text.size(), length_max) && belongs(text[length])) ++length;
  return length;
}

// Up to three digits, behind the backslash.
unsigned octal_value(std::string_view digits) noexcept {
  unsigned value = 0;
  for (const char c : digits) value = value * 8 + static_cast<unsigned>(c - '0');
  return value;
}

// The control character behind \a \b \f \n \r \t \v, or 0.
constexpr char control_character(char letter) noexcept {
  switch (letter) {
    case 'a': return '\a';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    default: return 0;
  }
}

Decoded decode_js(std::string_view rest) noexcept {
  if (rest.size() < 2) return {};
  if (rest[1] == 'u' && rest.size() >= 6 && run_length(rest.substr(2), 4, is_hex) == 4) {
    return {6, low_byte_of_utf16(rest.substr(2, 4))};
  }
  if (rest[1] == 'x' && rest.size() >= 4 && is_hex(rest[2]) && is_hex(rest[3])) return {4, hex_pair(rest[2], rest[3])};
  if (is_octal(rest[1])) {
    std::size_t digits = run_length(rest.substr(1), 3, is_octal);
    if (digits == 3 && rest[1] > '3') digits = 2;  // \400 is one byte and a zero
    return {1 + digits, static_cast<char>(octal_value(rest.substr(1, digits)))};
  }
  const char control = control_character(rest[1]);
  return {2, control != 0 ? control : rest[1]};
}

Decoded decode_escape_sequence(std::string_view rest) noexcept {
  if (rest.size() < 2) return {};
  if (const char control = control_character(rest[1])) return {2, control};
  if ((rest[1] | 0x20) == 'x' && rest.size() >= 4 && is_hex(rest[2]) && is_hex(rest[3])) {
    return {4, hex_pair(rest[2], rest[3])};
  }
  if (is_octal(rest[1])) {
    const std::size_t digits = run_length(rest.substr(1), 3, is_octal);
    return {1 + digits, static_cast<char>(octal_value(rest.substr(1, digits)))};  // \777 is the byte 0xff
  }
  return {2, rest[1]};
}

// CSS 2.1 §4.1.3: one to six hexadecimal digits, and one white-space character that ends them.
Decoded decode_css(std::string_view rest) noexcept {
  if (rest.size() < 2) return {1, 0, true};
  const std::size_t digits = run_length(rest.substr(1), 6, is_hex);
  if (digits == 0) {
    if (rest[1] == '\n') return {2, 0, true};
    return {2, rest[1]};
  }
  const std::string_view number = rest.substr(1, digits);
  char byte;
  if (digits == 1) {
    byte = static_cast<char>(hex_value(number[0]));
  } else if (digits >= 4 && std::all_of(number.begin(), number.end() - 4, [](char c) { return c == '0'; })) {
    byte = low_byte_of_utf16(number.substr(digits - 4));
  } else {
    byte = hex_pair(number[digits - 2], number[digits - 1]);
  }
  const bool separated = 1 + digits < rest.size() && is_space(rest[1 + digits]);
  return {1 + digits + (separated ? 1 : 0), byte};
}

// Numbers too large for a `long` are its largest value, whose lower byte is 0xff.
char low_byte_of_number(std::string_view digits, unsigned base) noexcept {
  constexpr std::uint64_t kLargest = INT64_MAX;
  std::uint64_t value = 0;
  for (const char c : digits) {
    const unsigned digit = hex_value(c);
    if (value > (kLargest - digit) / base) return '\xff';
    value = value * base + digit;
  }
  return static_cast<char>(value);
}

Decoded decode_html(std::string_view rest) noexcept {
  const auto with_semicolon = [&](std::size_t size) {
    return size < rest.size() && rest[size] == ';' ? size + 1 : size;  // browsers do without
  };
  if (rest.size() >= 3 && rest[1] == '#') {
    const bool hexadecimal = (rest[2] | 0x20) == 'x';
    const std::size_t start = hexadecimal ? 3 : 2;
    const std::string_view after = rest.substr(start);
    const std::size_t digits = run_length(after, after.size(), hexadecimal ? is_hex : is_digit);
    if (digits == 0) return {};
    return {with_semicolon(start + digits), low_byte_of_number(after.substr(0, digits), hexadecimal ? 16 : 10)};
  }
  struct Entity {
    std::string_view name;
    char byte;
  };
  static constexpr std::array<Entity, 5> kEntities{
      {{"amp", '&'}, {"gt", '>'}, {"lt", '<'}, {"nbsp", '\xa0'}, {"quot", '"'}}};
  const std::size_t letters = run_length(rest.substr(1), 5, is_alphanumeric);  // one more than the longest name
  for (const Entity& entity : kEntities) {
    const auto same = [](char a, char b) { return lower(a) == b; };
    if (letters == entity.name.size() && std::equal(entity.name.begin(), entity.name.end(), rest.begin() + 1,
                                                    [&](char b, char a) { return same(a, b); })) {
      return {with_semicolon(1 + letters), entity.byte};
    }
  }
  return {};
}

}  // namespace

bool css_decode(std::string_view in, std::string& out) { return replace_escapes<'\\'>(in, out, decode_css); }
bool escape_seq_decode(std::string_view in, std::string& out) {
  return replace_escapes<'\\'>(in, out, decode_escape_sequence);
}
bool html_entity_decode(std::string_view in, std::string& out) { return replace_escapes<'&'>(in, out, decode_html); }
bool js_decode(std::string_view in, std::string& out) { return replace_escapes<'\\'>(in, out, decode_js); }

}  // namespace gatehouse::waf
