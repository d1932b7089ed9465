// The two headers that decide how a multipart body is read: the request's Content-Type and a part's
// Content-Disposition.
#include <algorithm>
#include <array>

#include "http/message.h"
#include "waf/body/multipart.h"
#include "waf/body/text.h"

namespace gatehouse::waf {
namespace {

constexpr std::string_view kMediaType = "multipart/form-data";
constexpr std::size_t kContentTypeBytesMax = 1024;
constexpr std::size_t kBoundaryBytesMax = 70;  // RFC 2046 §5.1.1

// How often `boundary` is followed by a `=` anywhere behind it, in any case of letters. A second one, even inside a
// value, is where two readers would find different boundaries.
std::size_t count_boundaries(std::string_view text) noexcept {
  constexpr std::string_view kWord = "boundary";
  const std::size_t last_equals = text.rfind('=');
  std::size_t count = 0;
  for (std::size_t i = 0; i + kWord.size() <= text.size(); ++i) {
    if (!http::equals_ignoring_case(text.substr(i, kWord.size()), kWord)) continue;
    if (last_equals != std::string_view::npos && last_equals >= i + kWord.size()) ++count;
  }
  return count;
}

// RFC 2046 §5.1.1 without the space and the comma, at which some readers end the boundary.
bool is_boundary_char(char c) noexcept {
  return is_alphanumeric(c) || std::string_view("'()+_-./:=?").find(c) != std::string_view::npos;
}

class ContentType {
 public:
  ContentType(std::string_view text, Body& body) : text_(text), body_(body) {}

  std::optional<std::string_view> boundary() {
    if (text_.size() > kContentTypeBytesMax) return fail("Content-Type too long");
    if (!http::equals_ignoring_case(text_.substr(0, kMediaType.size()), kMediaType))
      return fail("not multipart/form-data");
    if (count_boundaries(text_) > 1) return fail("more than one boundary parameter");
    at_ = kMediaType.size();
    if (peek() != ';' && !is_space(peek()) && at_ < text_.size()) return fail("not multipart/form-data");
    std::optional<std::string_view> found;
    while (true) {
      bool semicolon = false;
      while (is_space(peek()) || (peek() == ';' && !semicolon)) semicolon = semicolon || text_[at_] == ';', ++at_;
      if (at_ == text_.size()) break;
      if (!semicolon) {
        if (found || !text_.substr(at_).starts_with("boundary")) return fail("malformed parameters");
        body_.multipart.missing_semicolon = true;
      }
      const std::size_t begin = at_;
      while (is_token_char(peek())) ++at_;
      const std::string_view name = text_.substr(begin, at_ - begin);
      const bool is_boundary = http::equals_ignoring_case(name, "boundary");
      if (is_boundary && name != "boundary") return fail("boundary parameter not in lower case");
      const std::optional<std::string_view> value = parameter_value(is_boundary);
      if (!value) return std::nullopt;
      if (is_boundary) found = value;
    }
    if (!found) return fail("no boundary parameter");
    return found;
  }

 private:
  char peek() const noexcept { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::optional<std::string_view> fail(const char* why) {
    body_.fail(BodyError::malformed, why, 0);
    return std::nullopt;
  }

  std::optional<std::string_view> parameter_value(bool is_boundary) {
    const std::size_t end_of_name = at_;
    while (is_space(peek())) ++at_;
    if (is_boundary && at_ != end_of_name) body_.multipart.boundary_whitespace = true;
    if (peek() != '=') return fail("parameter without value");
    ++at_;
    if (is_space(peek())) {
      if (is_boundary) body_.multipart.boundary_whitespace = true;
      return fail("white space before a parameter's value");
    }
    std::string_view value;
    if (peek() == '"') {
      const std::size_t close = text_.find('"', ++at_);
      if (close == std::string_view::npos) return fail("unclosed quote");
      value = text_.substr(at_, close - at_);
      at_ = close + 1;
      if (is_boundary) body_.multipart.boundary_quoted = true;
    } else {
      const std::size_t end = std::min(text_.find(';', at_), text_.size());
      value = text_.substr(at_, end - at_);
      at_ = end;
      if (value.find('"') != std::string_view::npos) return fail("quote inside a parameter's value");
    }
    return is_boundary ? checked_boundary(value) : value;
  }

  std::optional<std::string_view> checked_boundary(std::string_view value) {
    if (value.empty()) return fail("empty boundary");
    if (value.size() > kBoundaryBytesMax) return fail("boundary longer than 70 bytes");
    if (!std::all_of(value.begin(), value.end(), is_boundary_char)) return fail("invalid characters in boundary");
    return value;
  }

  std::string_view text_;
  Body& body_;
  std::size_t at_ = 0;
};

// RFC 8187: charset'language'percent-encoded.
std::optional<std::string_view> decode_extended(std::string_view text, Arena& arena) {
  const std::size_t first = text.find('\'');
  const std::size_t second = first == std::string_view::npos ? first : text.find('\'', first + 1);
  if (second == std::string_view::npos || first == 0) return std::nullopt;
  bool invalid = false;
  const std::string_view value = percent_decode(text.substr(second + 1), PlusSign::plus, arena, invalid);
  return invalid ? std::nullopt : std::optional(value);
}

class DispositionParser {
 public:
  DispositionParser(std::string_view text, Arena& arena) : text_(text), arena_(arena) {}

  Disposition parse() {
    constexpr std::string_view kType = "form-data";
    if (!text_.starts_with(kType)) return fail("Content-Disposition is not form-data");
    at_ = kType.size();
    skip_blanks();
    while (!at_end()) {
      if (text_[at_] != ';') {
        // What follows a closing quote is where readers disagree about the value.
        const char before = text_[at_ - 1];
        if (before == '"' || before == '\'') result_.invalid_quoting = true;
        return fail("no semicolon between the parameters of Content-Disposition");
      }
      ++at_;
      if (at_end()) break;  // a closing semicolon
      skip_blanks();
      const std::size_t begin = at_;
      while (is_token_char(peek())) ++at_;
      const std::string_view name = text_.substr(begin, at_ - begin);
      // Simple readers search for `filename=`.
      if (name == "filename" && peek() != '=') return fail("Content-Disposition filename without its sign");
      skip_blanks();
      if (peek() != '=') return fail("Content-Disposition parameter without value");
      ++at_;
      skip_blanks();
      if (at_end()) return fail("Content-Disposition parameter without value");
      const std::string_view value = parameter_value();
      if (!keep(name, value)) return result_;
      skip_blanks();
    }
    return result_;
  }

 private:
  bool at_end() const noexcept { return at_ >= text_.size(); }
  char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
  void skip_blanks() noexcept {
    while (peek() == ' ' || peek() == '\t') ++at_;
  }
  // Keeps the first reason; what was read so far is still of use to the rules.
  Disposition& fail(const char* why) {
    if (!result_.error) result_.error = why;
    return result_;
  }

  std::string_view parameter_value() {
    const char quote = peek();
    if (quote == '"' || quote == '\'') return quoted(quote);
    const std::size_t begin = at_;
    while (is_token_char(peek())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  // Only the quote and the backslash are escaped: browsers send `C:\file` unescaped.
  std::string_view quoted(char quote) {
    if (quote == '\'') result_.invalid_quoting = true;
    const std::size_t begin = ++at_;
    bool escapes = false;
    while (!at_end() && text_[at_] != quote) {
      const char next = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
      if (text_[at_] == '\\' && (next == quote || next == '\\')) escapes = true, ++at_;
      ++at_;
    }
    const std::string_view raw = text_.substr(begin, std::min(at_, text_.size()) - begin);
    if (at_end()) {
      result_.invalid_quoting = true;
      fail("unclosed quote in Content-Disposition");
    } else {
      ++at_;
    }
    return escapes ? unescape(raw, quote) : raw;
  }

  std::string_view unescape(std::string_view raw, char quote) {
    char* const begin = arena_.allocate(raw.size());
    char* to = begin;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] == '\\' && i + 1 < raw.size() && (raw[i + 1] == quote || raw[i + 1] == '\\')) ++i;
      *to++ = raw[i];
    }
    return {begin, static_cast<std::size_t>(to - begin)};
  }

  bool keep(std::string_view name, std::string_view value) {
    if (name == "name") return keep_once(result_.name, value);
    if (name == "filename") return keep_once(result_.filename, value);
    if (name == "filename*") {
      const std::optional<std::string_view> decoded = decode_extended(value, arena_);
      if (!decoded) fail("malformed filename*");
      return keep_once(result_.extended_filename, decoded.value_or(value));
    }
    fail("unknown parameter of Content-Disposition");
    return false;
  }

  bool keep_once(std::optional<std::string_view>& slot, std::string_view value) {
    if (slot) {
      fail("parameter of Content-Disposition repeated");
      return false;
    }
    slot = value;
    return true;
  }

  std::string_view text_;
  Arena& arena_;
  std::size_t at_ = 0;
  Disposition result_;
};

}  // namespace

std::optional<std::string_view> parse_boundary(std::string_view content_type, Body& body) {
  return ContentType(content_type, body).boundary();
}

Disposition parse_disposition(std::string_view value, Arena& arena) { return DispositionParser(value, arena).parse(); }

}  // namespace gatehouse::waf
