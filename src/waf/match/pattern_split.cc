#include "waf/match/pattern_split.h"

#include <cstddef>

namespace gatehouse::waf {
namespace {

// The end of what begins at `at`: an escape, a class, or one byte. Groups are the caller's business.
std::size_t skip_atom(std::string_view pattern, std::size_t at) noexcept {
  const std::size_t size = pattern.size();
  if (pattern[at] == '\\') {
    if (at + 1 < size && pattern[at + 1] == 'Q') {  // a quoted run
      const std::size_t end = pattern.find("\\E", at + 2);
      return end == std::string_view::npos ? size : end + 2;
    }
    return at + 2 < size ? at + 2 : size;
  }
  if (pattern[at] != '[') return at + 1;
  std::size_t i = at + 1;
  if (i < size && pattern[i] == '^') ++i;
  if (i < size && pattern[i] == ']') ++i;  // the first one is a literal
  while (i < size && pattern[i] != ']') {
    if (pattern[i] == '\\') {
      i += 2;
    } else if (pattern[i] == '[' && i + 1 < size &&
               (pattern[i + 1] == ':' || pattern[i + 1] == '.' || pattern[i + 1] == '=')) {
      const std::size_t end = pattern.find(std::string{pattern[i + 1], ']'}, i + 2);
      i = end == std::string_view::npos ? i + 1 : end + 2;
    } else {
      ++i;
    }
  }
  return i < size ? i + 1 : size;
}

bool is_quantifier(std::string_view pattern, std::size_t at) noexcept {
  if (at >= pattern.size()) return false;
  const char c = pattern[at];
  if (c == '*' || c == '+' || c == '?') return true;
  return c == '{' && at + 1 < pattern.size() && pattern[at + 1] >= '0' && pattern[at + 1] <= '9';
}

struct Group {
  std::size_t open = 0, body = 0, close = 0;  // `(`, behind `(?:`, `)`
  std::vector<std::size_t> bars;              // of its own alternatives
};

struct Structure {
  std::vector<std::size_t> bars;  // at the outermost level
  std::vector<Group> groups;      // at the outermost level, that stand once and only group or capture
  bool understood = true;
};

// `(?i)` at the very beginning holds for all that follows, so it goes in front of every piece.
std::size_t flags_end(std::string_view pattern) noexcept {
  if (!pattern.starts_with("(?")) return 0;
  std::size_t at = 2;
  while (at < pattern.size() && ((pattern[at] >= 'a' && pattern[at] <= 'z') || pattern[at] == '-')) ++at;
  return at < pattern.size() && at > 2 && pattern[at] == ')' ? at + 1 : 0;
}

Structure structure_of(std::string_view pattern, std::size_t from) {
  Structure result;
  std::vector<Group> open;
  std::vector<bool> plain;  // of the open groups: neither lookaround, atomic nor flags
  for (std::size_t at = from; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '(') {
      Group group{at, at + 1, 0, {}};
      bool is_plain = true;
      if (at + 1 < pattern.size() && pattern[at + 1] == '?') {
        is_plain = pattern.substr(at).starts_with("(?:");
        group.body = at + 3;
        if (!is_plain && flags_end(pattern.substr(at)) > 0) result.understood = false;  // flags in the middle
      } else if (at + 1 < pattern.size() && pattern[at + 1] == '*') {
        result.understood = false;
      }
      open.push_back(std::move(group));
      plain.push_back(is_plain);
      at = open.back().body;
    } else if (c == ')') {
      if (open.empty()) {
        result.understood = false;
        return result;
      }
      Group group = std::move(open.back());
      const bool is_plain = plain.back();
      open.pop_back();
      plain.pop_back();
      group.close = at++;
      if (open.empty() && is_plain && !group.bars.empty() && !is_quantifier(pattern, at))
        result.groups.push_back(std::move(group));
    } else if (c == '|') {
      (open.empty() ? result.bars : open.back().bars).push_back(at++);
    } else {
      at = skip_atom(pattern, at);
    }
  }
  result.understood &= open.empty();
  return result;
}

std::vector<std::string> pieces(std::string_view before, std::string_view body, std::size_t body_at,
                                const std::vector<std::size_t>& bars, std::string_view after, bool group) {
  std::vector<std::string> result;
  std::size_t from = 0;
  for (std::size_t i = 0; i <= bars.size(); ++i) {
    const std::size_t to = i < bars.size() ? bars[i] - body_at : body.size();
    std::string piece(before);
    if (group) piece += "(?:";
    piece += body.substr(from, to - from);
    if (group) piece += ')';
    piece += after;
    result.push_back(std::move(piece));
    from = to + 1;
  }
  return result;
}

}  // namespace

std::vector<std::string> split_alternatives(std::string_view pattern) {
  const std::size_t start = flags_end(pattern);
  const Structure structure = structure_of(pattern, start);
  if (!structure.understood) return {};
  if (!structure.bars.empty()) {
    return pieces(pattern.substr(0, start), pattern.substr(start), start, structure.bars, {}, false);
  }
  // The longest group: it is what makes the pattern large.
  const Group* longest = nullptr;
  for (const Group& group : structure.groups) {
    if (!longest || group.close - group.body > longest->close - longest->body) longest = &group;
  }
  // A group around everything has nothing to multiply; its inside is split the next time.
  if (!longest) return {};
  return pieces(pattern.substr(0, longest->open), pattern.substr(longest->body, longest->close - longest->body),
                longest->body, longest->bars, pattern.substr(longest->close + 1), true);
}

}  // namespace gatehouse::waf
