// Comments of SQL, C, HTML and shells, and what command lines are obfuscated with.
#include "waf/transform/families.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

bool starts_with_at(std::string_view in, std::size_t at, std::string_view prefix) noexcept {
  return in.substr(at, prefix.size()) == prefix;
}

// The length of the token at `at` that opens or closes a comment, 0 when there is none.
std::size_t comment_token(std::string_view in, std::size_t at) noexcept {
  const char next = at + 1 < in.size() ? in[at + 1] : '\0';
  switch (in[at]) {
    case '#': return 1;
    case '/': return next == '*' ? 2 : 0;
    case '*': return next == '/' ? 2 : 0;
    case '<': return next == '!' && in.substr(at + 2, 2) == "--" ? 4 : 0;
    case '-': return next != '-' ? 0 : in.substr(at + 2, 1) == ">" ? 3 : 2;
    default: return 0;
  }
}

// The first that does, of those that `kStarts` may begin.
template <char... kStarts>
std::size_t find_comment_token(std::string_view in) noexcept {
  std::size_t at = find_any<kStarts...>(in);
  while (at < in.size() && comment_token(in, at) == 0) at = find_any<kStarts...>(in, at + 1);
  return at;
}

// The index behind the comment's end, or npos when it has none. Each kind of end closes each kind of comment.
std::size_t comment_end(std::string_view in, std::size_t at) noexcept {
  for (at = find_any<'*', '-'>(in, at); at < in.size(); at = find_any<'*', '-'>(in, at + 1)) {
    if (starts_with_at(in, at, "*/")) return at + 2;
    if (starts_with_at(in, at, "-->")) return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace

bool cmd_line(std::string_view in, std::string& out) {
  const std::size_t first =
      std::min(find_any<'"', '\'', '\\', '^', ' ', ',', ';', '\t', '\r', '\n'>(in), find_range<'A', 'Z'>(in));
  if (first == in.size()) return false;
  Rewriter result(in, first, in.size(), out);
  bool after_space = false;
  for (const char c : in.substr(first)) {
    switch (c) {
      case '"':
      case '\'':
      case '\\':
      case '^': break;  // shells ignore them, and what stands on either side is one word
      case ' ':
      case ',':
      case ';':
      case '\t':
      case '\r':
      case '\n':
        if (!after_space) result.put(' ');
        after_space = true;
        break;
      case '/':
      case '(':
        if (after_space) result.cut(result.size() - 1);
        result.put(c);
        after_space = false;
        break;
      default: result.put(lower(c)); after_space = false;
    }
  }
  return result.finish();
}

bool remove_comments(std::string_view in, std::string& out) {
  std::size_t at = find_comment_token<'/', '<', '-', '#'>(in);
  if (at == in.size()) return false;
  Rewriter result(in, at, in.size(), out);
  while (at < in.size()) {
    const std::size_t token = comment_token(in, at);
    if (in[at] == '#' || (in[at] == '-' && token > 0)) break;  // `#` and `--` run to the end
    if (token > 0) {
      at = comment_end(in, at + token);
      if (at == std::string_view::npos) {
        result.put(' ');
        break;
      }
      // The byte behind a comment begins none: libmodsecurity copies it unseen, and rules were tested with that.
      if (at == in.size()) break;
      result.put(in[at]);
      at += 1;
    } else {
      result.put(in[at]);
      at += 1;
    }
    const std::size_t next = find_any<'/', '<', '-', '#'>(in, at);
    result.copy(in.substr(at, next - at));
    at = next;
  }
  return result.finish();
}

bool remove_comments_char(std::string_view in, std::string& out) {
  std::size_t at = find_comment_token<'/', '*', '<', '-', '#'>(in);
  if (at == in.size()) return false;
  Rewriter result(in, at, in.size(), out);
  while (at < in.size()) {
    const std::size_t token = comment_token(in, at);
    if (token == 0) result.put(in[at]);
    at += token > 0 ? token : 1;
    const std::size_t next = find_any<'/', '*', '<', '-', '#'>(in, at);
    result.copy(in.substr(at, next - at));
    at = next;
  }
  return result.finish();
}

bool replace_comments(std::string_view in, std::string& out) {
  std::size_t open = in.find("/*");
  if (open == std::string_view::npos) return false;
  Rewriter result(in, open, in.size(), out);
  while (open != std::string_view::npos) {
    result.put(' ');  // an unterminated comment as well
    const std::size_t close = in.find("*/", open + 2);
    if (close == std::string_view::npos) break;
    open = in.find("/*", close + 2);
    result.copy(in.substr(close + 2, open == std::string_view::npos ? open : open - close - 2));
  }
  return result.finish();
}

}  // namespace gatehouse::waf
