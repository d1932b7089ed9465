#pragma once
// Strings that a regular expression matches, made from its text: so that every pattern of a rule set is tried on
// something that it is about. Lookaround and anchors are passed over, so a sample need not match: ask the pattern.

#include <array>
#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "waf/characters.h"
#include "waf/differential/traffic_for_tests.h"

namespace gatehouse::waf {

class PatternSamples {
 public:
  PatternSamples(std::string_view pattern, Random& random) : pattern_(pattern), random_(random) {}

  // Null when the pattern is written in a way that this does not know.
  std::optional<std::string> next() {
    at_ = 0;
    known_ = true;
    caseless_ = false;
    groups_.clear();
    std::string out = alternatives(0);
    if (!known_ || at_ != pattern_.size()) return std::nullopt;
    return out.substr(0, kBytesMax);
  }

 private:
  using Set = std::bitset<256>;
  static constexpr std::size_t kBytesMax = 4096;
  static constexpr int kDepthMax = 60;

  bool more() const { return at_ < pattern_.size(); }
  bool take(std::string_view text) {
    if (pattern_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }

  // Every alternative is read, and one of them kept.
  std::string alternatives(int depth) {
    if (depth > kDepthMax) known_ = false;
    std::string kept;
    std::size_t count = 0;
    const bool caseless = caseless_;
    do {
      std::string text = sequence(depth);
      if (random_.one_in(++count)) kept = std::move(text);
    } while (known_ && take("|"));
    caseless_ = caseless;
    return kept;
  }

  std::string sequence(int depth) {
    std::string out;
    while (known_ && more() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      // A quantified part is read once for each time that it stands in the result.
      const std::size_t start = at_;
      std::string text = atom(depth);
      const auto [least, most] = quantifier();
      const std::size_t behind = at_;
      const std::size_t times = least + random_.below(most - least + 1);
      if (times > 0) out += text;
      for (std::size_t i = 1; i < times && out.size() < kBytesMax && known_; ++i) {
        at_ = start;
        out += atom(depth);
      }
      at_ = behind;
    }
    return out;
  }

  std::pair<std::size_t, std::size_t> quantifier() {
    std::pair<std::size_t, std::size_t> times{1, 1};
    if (take("*")) {
      times = {0, 3};
    } else if (take("+")) {
      times = {1, 4};
    } else if (take("?")) {
      times = {0, 1};
    } else if (more() && pattern_[at_] == '{' && at_ + 1 < pattern_.size() && is_digit(pattern_[at_ + 1])) {
      ++at_;
      times.first = number();
      times.second = times.first;
      if (take(",")) times.second = more() && is_digit(pattern_[at_]) ? number() : times.first + 3;
      if (!take("}")) known_ = false;
      times.second = std::max(times.first, std::min(times.second, times.first + 4));
    } else {
      return times;
    }
    if (!take("?")) take("+");
    return times;
  }

  std::size_t number() {
    std::size_t value = 0;
    while (more() && is_digit(pattern_[at_]) && value < 10'000) value = value * 10 + (pattern_[at_++] - '0');
    return value;
  }

  std::string atom(int depth) {
    if (take("(")) return group(depth);
    if (take("[")) return one_of(char_class());
    if (take("^") || take("$")) return {};
    if (take(".")) return one_of(~Set{});
    if (take("\\")) return escape();
    return literal(pattern_[at_++]);
  }

  std::string literal(char c) {
    const char low = lower(c);
    if (caseless_ && low >= 'a' && low <= 'z') c = static_cast<char>(random_.one_in(2) ? low : low - 32);
    return std::string(1, c);
  }

  std::string group(int depth) {
    bool kept = true;
    std::size_t number = 0;
    const bool caseless = caseless_;
    if (take("?")) {
      if (take("=") || take("!") || take("<=") || take("<!")) {
        kept = false;
      } else if (take("P<") || take("<")) {
        at_ = std::min(pattern_.find('>', at_), pattern_.size() - 1) + 1;
        number = open_group();
      } else if (!take(">")) {
        bool on = true;
        for (; more() && pattern_[at_] != ':' && pattern_[at_] != ')'; ++at_) {
          if (pattern_[at_] == '-') on = false;
          if (pattern_[at_] == 'i') caseless_ = on;
          if (std::string_view("-imsx").find(pattern_[at_]) == std::string_view::npos) known_ = false;
        }
        if (take(")")) return {};  // holds for what follows
        ++at_;
      }
    } else {
      number = open_group();
    }
    std::string text = alternatives(depth + 1);
    if (!take(")")) known_ = false;
    caseless_ = caseless;
    if (number > 0) groups_[number - 1] = text;
    return kept ? text : std::string();
  }
  std::size_t open_group() {
    groups_.emplace_back();
    return groups_.size();
  }

  std::string one_of(const Set& set) {
    if (set.none()) return {};
    // Mostly what can be read; any byte at times.
    for (int i = 0; i < 40; ++i) {
      const auto c = static_cast<std::uint8_t>(i < 30 ? 0x20 + random_.below(0x5f) : random_.below(256));
      if (set.test(c)) return std::string(1, static_cast<char>(c));
    }
    std::size_t chosen = random_.below(set.count());
    for (std::size_t c = 0; c < 256; ++c) {
      if (set.test(c) && chosen-- == 0) return std::string(1, static_cast<char>(c));
    }
    return {};
  }

  static Set range(unsigned first, unsigned last) {
    Set set;
    for (unsigned c = first; c <= last && c < 256; ++c) set.set(c);
    return set;
  }
  static std::optional<Set> named(char c) {
    const Set digits = range('0', '9'), words = digits | range('a', 'z') | range('A', 'Z') | range('_', '_');
    const Set spaces = range(' ', ' ') | range('\t', '\r'), across = range(' ', ' ') | range('\t', '\t');
    switch (c) {
      case 'd': return digits;
      case 'D': return ~digits;
      case 'w': return words;
      case 'W': return ~words;
      case 's': return spaces;
      case 'S': return ~spaces;
      case 'h': return across;
      case 'v': return range('\n', '\r');
      case 'N': return ~range('\n', '\n');
      default: return std::nullopt;
    }
  }

  // Behind a backslash: the character that it stands for.
  char character() {
    if (!more()) return '\\';
    const char c = pattern_[at_++];
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'f': return '\f';
      case 'a': return '\a';
      case 'e': return '\x1b';
      case '0': {
        unsigned value = 0;
        for (int i = 0; i < 2 && more() && pattern_[at_] >= '0' && pattern_[at_] <= '7'; ++i)
          value = value * 8 + static_cast<unsigned>(pattern_[at_++] - '0');
        return static_cast<char>(value);
      }
      case 'x': {
        const bool braced = take("{");
        unsigned value = 0;
        for (int i = 0; i < (braced ? 4 : 2) && more() && is_hex(pattern_[at_]); ++i)
          value = value * 16 + hex_value(pattern_[at_++]);
        if (braced && !take("}")) known_ = false;
        return static_cast<char>(value);
      }
      default: return c;
    }
  }

  std::string escape() {
    if (!more()) return {};
    const char c = pattern_[at_];
    if (const auto set = named(c)) {
      ++at_;
      return one_of(*set);
    }
    if (std::string_view("bBAzZG").find(c) != std::string_view::npos) {
      ++at_;
      return {};
    }
    if (c == 'R') {
      ++at_;
      return "\n";
    }
    if (c >= '1' && c <= '9') {
      const std::size_t group = number();
      return group <= groups_.size() ? groups_[group - 1] : std::string();
    }
    if (is_alphanumeric(c) && std::string_view("nrtfae0x").find(c) == std::string_view::npos) known_ = false;
    const char escaped = character();
    return literal(escaped);
  }

  Set posix(std::string_view name) {
    const Set digits = range('0', '9'), letters = range('a', 'z') | range('A', 'Z');
    if (name == "alnum") return digits | letters;
    if (name == "alpha") return letters;
    if (name == "digit") return digits;
    if (name == "space") return range(' ', ' ') | range('\t', '\r');
    if (name == "punct") return range(0x21, 0x7e) & ~(digits | letters);
    if (name == "upper") return range('A', 'Z');
    if (name == "lower") return range('a', 'z');
    if (name == "xdigit") return digits | range('a', 'f') | range('A', 'F');
    if (name == "word") return digits | letters | range('_', '_');
    if (name == "ascii") return range(0, 0x7f);
    if (name == "print") return range(0x20, 0x7e);
    if (name == "cntrl") return range(0, 0x1f) | range(0x7f, 0x7f);
    known_ = false;
    return {};
  }

  Set char_class() {
    Set set;
    const bool negated = take("^");
    for (bool first = true; more() && (first || pattern_[at_] != ']'); first = false) {
      if (take("[:")) {
        const std::size_t end = std::min(pattern_.find(":]", at_), pattern_.size());
        const std::string_view name = pattern_.substr(at_, end - at_);
        set |= name.starts_with('^') ? ~posix(name.substr(1)) : posix(name);
        at_ = std::min(end + 2, pattern_.size());
        continue;
      }
      char low = pattern_[at_++];
      if (low == '\\' && more()) {
        if (const auto known = named(pattern_[at_])) {
          ++at_;
          set |= *known;
          continue;
        }
        low = pattern_[at_] == 'b' ? (++at_, '\b') : character();
      }
      char high = low;
      if (at_ + 1 < pattern_.size() && pattern_[at_] == '-' && pattern_[at_ + 1] != ']') {
        ++at_;
        high = pattern_[at_++];
        if (high == '\\') high = character();
      }
      set |= range(static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high));
    }
    if (!take("]")) known_ = false;
    if (caseless_) {
      for (unsigned c = 'a'; c <= 'z'; ++c) {
        if (set.test(c) || set.test(c - 32)) set.set(c).set(c - 32);
      }
    }
    return negated ? ~set : set;
  }

  std::string_view pattern_;
  Random& random_;
  std::size_t at_ = 0;
  bool known_ = true, caseless_ = false;
  std::vector<std::string> groups_;
};

}  // namespace gatehouse::waf
