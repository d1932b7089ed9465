#include "waf/body/json_body.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <string>

#include "waf/body/text.h"

namespace gatehouse::waf {
namespace {

// Bytes of a string that need no second look: neither quote, backslash, control nor beyond ASCII.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> table{};
  for (std::size_t c = 0x20; c < 0x80; ++c) table[c] = c != '"' && c != '\\';
  return table;
}();

// Length of the UTF-8 sequence at the front (RFC 3629), 0 when it is none.
std::size_t sequence_length(std::string_view text) noexcept {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const unsigned first = byte(0);
  const std::size_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const unsigned second = byte(1);
  if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f)) return 0;  // overlong, surrogates
  if ((first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f)) return 0;  // overlong, beyond U+10FFFF
  return length;
}

char* put_utf8(char* to, unsigned code) noexcept {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xc0 | code >> 6);
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xe0 | code >> 12);
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  } else {
    *to++ = static_cast<char>(0xf0 | code >> 18);
    *to++ = static_cast<char>(0x80 | (code >> 12 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code >> 6 & 0x3f));
    *to++ = static_cast<char>(0x80 | (code & 0x3f));
  }
  return to;
}

// The code unit of `\uXXXX` at the front, -1 when it is none.
int code_unit(std::string_view text) noexcept {
  if (text.size() < 6 || text[0] != '\\' || text[1] != 'u') return -1;
  unsigned unit = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 6, unit, 16);
  return error == std::errc{} && end == text.data() + 6 ? static_cast<int>(unit) : -1;
}

std::size_t escape_length(std::string_view text) noexcept {
  if (text.size() >= 2 && std::string_view("\"\\/bfnrt").find(text[1]) != std::string_view::npos) return 2;
  return code_unit(text) >= 0 ? 6 : 0;
}

// Each value's name repeats the path to it, so that names alone would be quadratic in the body's size: one long key
// with thousands of values under it. A matrix of digits inside two objects has 20 bytes of names per byte.
constexpr std::size_t kNameBytesOfSmallBodies = 16 * 1024;

std::size_t name_bytes_max(std::size_t body_bytes, const BodyLimits& limits) noexcept {
  return std::min(limits.decoded_bytes_max, kNameBytesOfSmallBodies + limits.name_growth_max * body_bytes);
}

class JsonReader {
 public:
  JsonReader(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body)
      : bytes_(bytes),
        limits_(limits),
        arena_(arena),
        body_(body),
        name_bytes_left_(name_bytes_max(bytes.size(), limits)) {}

  void read() {
    while (read_value() && read_separator()) {
    }
  }

 private:
  struct Container {
    std::size_t name_bytes;  // of its own name, the front of path_
    std::size_t index;       // of the element being read
    bool array;
  };

  bool fail(const char* why, BodyError what = BodyError::malformed) { return fail_from(at_, why, what); }
  bool fail_from(std::size_t begin, const char* why, BodyError what = BodyError::malformed) {
    if (body_.error == BodyError::none) {
      body_.unread_from = begin;
      if (name_pending_) body_.unread_name = arena_.copy(path_);
    }
    body_.fail(what, why, at_);
    return false;
  }
  char peek() const noexcept { return at_ < bytes_.size() ? bytes_[at_] : '\0'; }
  void skip_space() noexcept {
    while (at_ < bytes_.size() &&
           (bytes_[at_] == ' ' || bytes_[at_] == '\n' || bytes_[at_] == '\r' || bytes_[at_] == '\t')) {
      ++at_;
    }
  }

  // A value, with the containers that it opens: true when a separator, a closing bracket or the end is to follow.
  bool read_value() {
    while (true) {
      skip_space();
      const char c = peek();
      if (c != '{' && c != '[') return read_scalar(c);
      if (containers_.size() == limits_.depth_max) return fail("nested too deep", BodyError::too_deep);
      containers_.push_back({path_.size(), 0, c == '['});
      ++at_;
      skip_space();
      if (peek() == (c == '[' ? ']' : '}')) return true;
      if (c == '[') {
        name_element(containers_.back());
      } else if (!read_name()) {
        return false;
      }
    }
  }

  // False at the end of the document and after an error.
  bool read_separator() {
    while (true) {
      skip_space();
      if (containers_.empty()) return at_ < bytes_.size() ? fail("bytes behind the JSON value") : false;
      Container& inside = containers_.back();
      const char c = peek();
      if (c == ',') {
        ++at_;
        skip_space();
        if (!inside.array) return read_name();
        ++inside.index;
        name_element(inside);
        return true;
      }
      if (c != (inside.array ? ']' : '}')) return fail("comma or closing bracket missing in JSON");
      ++at_;
      path_.resize(inside.name_bytes);
      containers_.pop_back();
    }
  }

  void name_element(const Container& array) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, array.index).ptr;
    path_.resize(array.name_bytes);
    path_ += ".array_";
    path_.append(digits, end);
  }

  bool read_name() {
    if (peek() != '"') return fail("member name missing in JSON");
    std::string_view name;
    if (!read_string(name)) return false;
    path_.resize(containers_.back().name_bytes);
    path_ += '.';
    path_ += name.empty() ? "empty-key" : name;
    name_pending_ = true;
    skip_space();
    if (peek() != ':') return fail("colon missing in JSON");
    ++at_;
    return true;
  }

  bool read_scalar(char first) {
    std::string_view value;
    if (first == '"') {
      if (!read_string(value)) return false;
    } else if (first == '-' || (first >= '0' && first <= '9')) {
      if (!read_number(value)) return false;
    } else {
      const std::string_view rest = bytes_.substr(at_, 5);
      if (rest.starts_with("true")) {
        value = rest.substr(0, 4);
        at_ += 4;
      } else if (rest == "false") {
        value = rest;
        at_ += 5;
      } else if (rest.starts_with("null")) {
        at_ += 4;
      } else if (!limits_.json_nan || !(read_literal("NaN", value) || read_literal("Infinity", value))) {
        return fail("no JSON value");
      }
    }
    return keep(value);
  }

  bool read_literal(std::string_view literal, std::string_view& value) noexcept {
    if (!bytes_.substr(at_).starts_with(literal)) return false;
    value = bytes_.substr(at_, literal.size());
    at_ += literal.size();
    return true;
  }

  bool keep(std::string_view value) {
    if (body_.arguments.size() == limits_.arguments_max)
      return fail("too many arguments", BodyError::too_many_arguments);
    if (path_.size() > name_bytes_left_) return fail("names too long", BodyError::too_large);
    name_bytes_left_ -= path_.size();
    body_.arguments.push_back({arena_.copy(path_), value});
    name_pending_ = false;
    return true;
  }

  std::size_t skip_digits() noexcept {
    const std::size_t begin = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ - begin;
  }

  bool read_number(std::string_view& value) {
    const std::size_t begin = at_;
    if (limits_.json_nan && read_literal("-Infinity", value)) return true;
    if (peek() == '-') ++at_;
    // A zero stands alone: what follows it is no part of the number, and an error there.
    if (peek() == '0') {
      ++at_;
    } else if (skip_digits() == 0) {
      return fail("malformed number in JSON");
    }
    if (peek() == '.') {
      ++at_;
      if (skip_digits() == 0) return fail("malformed number in JSON");
    }
    if (peek() == 'e' || peek() == 'E') {
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      if (skip_digits() == 0) return fail("malformed number in JSON");
    }
    value = bytes_.substr(begin, at_ - begin);
    return true;
  }

  // From the opening quote on: a view of the body when it has no escapes.
  bool read_string(std::string_view& value) {
    const std::size_t begin = ++at_;
    bool escapes = false;
    while (true) {
      while (at_ < bytes_.size() && kPlain[static_cast<unsigned char>(bytes_[at_])]) ++at_;
      if (at_ == bytes_.size()) return fail_from(begin, "unclosed string in JSON");
      const char c = bytes_[at_];
      if (c == '"') break;
      if (c == '\\') {
        const std::size_t length = escape_length(bytes_.substr(at_, 6));
        if (length == 0) return fail_from(begin, "invalid escape in JSON");
        escapes = true;
        at_ += length;
      } else if (static_cast<unsigned char>(c) < 0x20) {
        return fail_from(begin, "control character in a JSON string");
      } else {
        const std::size_t length = sequence_length(bytes_.substr(at_, 4));
        if (length == 0) return fail_from(begin, "invalid UTF-8 in JSON");
        at_ += length;
      }
    }
    const std::string_view raw = bytes_.substr(begin, at_ - begin);
    ++at_;
    value = escapes ? unescape_json(raw, arena_) : raw;
    return true;
  }

  std::string_view bytes_;
  const BodyLimits& limits_;
  Arena& arena_;
  Body& body_;
  std::size_t name_bytes_left_;
  std::size_t at_ = 0;
  std::string path_ = "json";
  bool name_pending_ = false;  // a name in path_ has been read since the last argument
  std::vector<Container> containers_;
};

}  // namespace

std::string_view unescape_json(std::string_view raw, Arena& arena) {
  char* const begin = arena.allocate(raw.size());
  char* to = begin;
  for (std::size_t i = 0; i < raw.size();) {
    const std::size_t next = std::min(raw.find('\\', i), raw.size());
    std::memcpy(to, raw.data() + i, next - i);
    to += next - i;
    i = next;
    if (i == raw.size()) break;
    const std::size_t length = escape_length(raw.substr(i, 6));
    if (length != 6) {
      static constexpr std::string_view kFrom = "bfnrt", kTo = "\b\f\n\r\t";
      const char c = length == 0 ? '\\' : raw[i + 1];
      const std::size_t known = kFrom.find(c);
      *to++ = known == std::string_view::npos ? c : kTo[known];
      i += std::max<std::size_t>(length, 1);
      continue;
    }
    const auto unit = static_cast<unsigned>(code_unit(raw.substr(i)));
    i += 6;
    const int low = unit >= 0xd800 && unit < 0xdc00 ? code_unit(raw.substr(i)) : -1;
    if (low >= 0xdc00 && low < 0xe000) {
      to = put_utf8(to, 0x10000 + ((unit - 0xd800) << 10) + (static_cast<unsigned>(low) - 0xdc00));
      i += 6;
    } else {
      to = put_utf8(to, unit >= 0xd800 && unit < 0xe000 ? '?' : unit);
    }
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

void read_json_body(std::string_view bytes, const BodyLimits& limits, Arena& arena, Body& body) {
  // No body is no error, whatever the request called it.
  if (!bytes.empty()) JsonReader(bytes, limits, arena, body).read();
}

}  // namespace gatehouse::waf
