// The path's canonical form. Two passes at most: a scan that finds nothing to do (nearly every request), or one rewrite
// that decodes, encodes, merges slashes and resolves dot segments as it goes.
#include <array>
#include <cstring>

#include "http/canonical.h"

namespace gatehouse::http {
namespace {

enum class Kind : std::uint8_t {
  plain,      // may stand in a path as it is: unreserved, sub-delims, ":" and "@"
  slash,      //
  percent,    //
  encode,     // visible, but not allowed in a path: browsers send some of them raw
  high,       // 0x80 and above
  backslash,  //
  delimiter,  // "?" and "#" (the caller split the target), and space
  control,
};

constexpr bool is_unreserved(unsigned char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

constexpr auto kKinds = [] {
  std::array<Kind, 256> table{};
  for (unsigned c = 0; c < 256; ++c) {
    Kind kind = Kind::encode;
    if (c < 0x20 || c == 0x7f) {
      kind = Kind::control;
    } else if (c >= 0x80) {
      kind = Kind::high;
    } else if (is_unreserved(static_cast<unsigned char>(c))) {
      kind = Kind::plain;
    }
    table[c] = kind;
  }
  for (char c : {'!', '$', '&', '\'', '(', ')', '*', '+', ',', ';', '=', ':', '@'}) {
    table[static_cast<unsigned char>(c)] = Kind::plain;
  }
  table['/'] = Kind::slash;
  table['%'] = Kind::percent;
  table['\\'] = Kind::backslash;
  table['?'] = table['#'] = table[' '] = Kind::delimiter;
  return table;
}();

constexpr auto kHex = [] {
  std::array<std::int8_t, 256> table{};
  for (auto& value : table) value = -1;
  for (int i = 0; i < 10; ++i) table['0' + i] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) table['a' + i] = table['A' + i] = static_cast<std::int8_t>(10 + i);
  return table;
}();

Kind kind_of(char c) noexcept { return kKinds[static_cast<unsigned char>(c)]; }

// The first byte that needs a second look, or the size when the path is canonical as it stands.
std::size_t scan(std::string_view path) noexcept {
  for (std::size_t i = 0; i < path.size(); ++i) {
    const Kind kind = kind_of(path[i]);
    if (kind == Kind::plain) [[likely]]
      continue;
    if (kind != Kind::slash) return i;
    if (i + 1 < path.size() && (path[i + 1] == '/' || path[i + 1] == '.')) return i;
  }
  return path.size();
}

// Servers that decode UTF-8 without checking read some malformed sequences as ASCII: C0 AE is a dot to them, and so is
// E0 80 AE. Such sequences have no other use. Bytes that are merely not UTF-8 (Latin-1) are legal.
bool is_overlong(unsigned previous, unsigned byte) noexcept {
  if (byte == 0xc0 || byte == 0xc1) return true;  // in no encoding of a character that needs two bytes
  if (byte < 0x80 || byte > 0xbf) return false;   // not a continuation
  return (previous == 0xe0 && byte < 0xa0) || (previous == 0xf0 && byte < 0x90) || previous >= 0xf8;
}

bool starts_with_escape(std::string_view text, std::string_view escape) noexcept { return text.starts_with(escape); }

// One or two dots and then something that a server might cut off before it resolves dot segments: a path parameter
// ("..;x", RFC 3986 §3.3), or an encoded slash where the route allows those.
bool hides_dots(std::string_view segment) noexcept {
  bool first = true;
  while (true) {
    std::size_t dots = 0;
    while (dots < segment.size() && segment[dots] == '.') ++dots;
    if (dots == 1 || dots == 2) {
      const std::string_view rest = segment.substr(dots);
      if (rest.empty()) return !first;
      if (rest.front() == ';' || starts_with_escape(rest, "%3B") || starts_with_escape(rest, "%2F") ||
          starts_with_escape(rest, "%5C")) {
        return true;
      }
    }
    std::size_t next = segment.find('%');
    while (next != std::string_view::npos && !starts_with_escape(segment.substr(next), "%2F") &&
           !starts_with_escape(segment.substr(next), "%5C")) {
      next = segment.find('%', next + 1);
    }
    if (next == std::string_view::npos) return false;
    segment.remove_prefix(next + 3);
    first = false;
  }
}

class PathWriter {
 public:
  explicit PathWriter(char* out) noexcept : out_(out) {}

  void put(char c) noexcept { out_[size_++] = c; }
  void put_escape(unsigned byte) noexcept {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    out_[size_++] = '%';
    out_[size_++] = kDigits[byte >> 4];
    out_[size_++] = kDigits[byte & 15];
  }

  // The segment since the last slash is complete: keep it, or resolve it.
  Reason end_segment() noexcept {
    const std::string_view segment(out_ + segment_, size_ - segment_);
    if (segment.empty() || segment.front() != '.') {
      return segment.size() > 3 && segment.find('%') != std::string_view::npos && hides_dots(segment)
                 ? Reason::dot_segments
                 : Reason::none;
    }
    if (segment == ".") {
      size_ = segment_;
    } else if (segment == "..") {
      if (segment_ == 1) return Reason::dot_segments;
      size_ = segment_ - 1;
      while (out_[size_ - 1] != '/') --size_;
      segment_ = size_;
    } else if (hides_dots(segment)) {
      return Reason::dot_segments;
    }
    return Reason::none;
  }

  void slash() noexcept {
    if (size_ == 0 || out_[size_ - 1] != '/') put('/');
    segment_ = size_;
  }

  std::size_t size() const noexcept { return size_; }

 private:
  char* out_;
  std::size_t size_ = 0;
  std::size_t segment_ = 0;  // where the current one begins
};

// An escape's byte: decoded when unreserved, kept in upper case when harmless, else refused.
Reason put_decoded(unsigned byte, unsigned previous, const CanonicalOptions& options, PathWriter& writer) noexcept {
  if (byte == 0) return Reason::encoded_nul;
  if (byte < 0x20 || byte == 0x7f) return Reason::control_byte;
  if (byte == '/' && !options.allow_encoded_slash) return Reason::encoded_slash;
  if (byte == '\\' && !options.allow_encoded_backslash) return Reason::encoded_backslash;
  if (byte >= 0x80 && is_overlong(previous, byte)) return Reason::overlong_utf8;
  if (is_unreserved(static_cast<unsigned char>(byte))) {
    writer.put(static_cast<char>(byte));
  } else {
    writer.put_escape(byte);
  }
  return Reason::none;
}

Reason rewrite(std::string_view raw, const CanonicalOptions& options, PathWriter& writer) noexcept {
  unsigned previous = 0;  // the last octet, decoded: what a lenient UTF-8 decoder would continue from
  for (std::size_t i = 0; i < raw.size(); ++i) {
    unsigned byte = static_cast<unsigned char>(raw[i]);
    Reason reason = Reason::none;
    switch (kKinds[byte]) {
      case Kind::plain: writer.put(raw[i]); break;
      case Kind::slash:
        reason = writer.end_segment();
        writer.slash();
        break;
      case Kind::percent: {
        if (raw.size() - i < 3) return Reason::bad_escape;
        const int high = kHex[static_cast<unsigned char>(raw[i + 1])];
        const int low = kHex[static_cast<unsigned char>(raw[i + 2])];
        if (high < 0 || low < 0) return Reason::bad_escape;
        byte = static_cast<unsigned>(high << 4 | low);
        reason = put_decoded(byte, previous, options, writer);
        i += 2;
        break;
      }
      case Kind::high:
        if (is_overlong(previous, byte)) return Reason::overlong_utf8;
        writer.put_escape(byte);
        break;
      case Kind::encode: writer.put_escape(byte); break;
      case Kind::backslash: return Reason::backslash;
      case Kind::delimiter: return Reason::bad_target;
      case Kind::control: return Reason::control_byte;
    }
    if (reason != Reason::none) return reason;
    previous = byte;
  }
  return writer.end_segment();
}

}  // namespace

Reason canonicalize_path(std::string_view raw, const CanonicalOptions& options, Arena& arena, std::string_view& out) {
  if (raw.empty() || raw.front() != '/') return Reason::bad_target;
  const std::size_t good = scan(raw);
  if (good == raw.size()) [[likely]] {
    out = arena.copy(raw);
    return Reason::none;
  }
  std::size_t growth = 0;
  for (char c : raw.substr(good)) {
    const Kind kind = kind_of(c);
    if (kind == Kind::encode || kind == Kind::high) growth += 2;
  }
  char* const buffer = arena.allocate(raw.size() + growth);
  PathWriter writer(buffer);
  const Reason reason = rewrite(raw, options, writer);
  if (reason == Reason::none) out = {buffer, writer.size()};
  return reason;
}

}  // namespace gatehouse::http
