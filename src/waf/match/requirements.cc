#include "waf/match/requirements.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <optional>

#include "waf/characters.h"
#include "waf/transform/transform.h"

namespace gatehouse::waf {
namespace {

constexpr std::size_t kBytesMinMax = 1 << 20;  // more than that is as good
constexpr int kDepthMax = 200;

constexpr ByteSet kDigits = ByteSet::range('0', '9');
constexpr ByteSet kUpper = ByteSet::range('A', 'Z'), kLower = ByteSet::range('a', 'z');
constexpr ByteSet kWord = kDigits | kUpper | kLower | ByteSet::of("_");
constexpr ByteSet kSpace = ByteSet::of(" \t\n\v\f\r");
constexpr ByteSet kHorizontal = ByteSet::of("\t \xa0");
constexpr ByteSet kVertical = ByteSet::of("\n\v\f\r\x85");

constexpr ByteSet all_but(const ByteSet& set) noexcept {
  ByteSet result;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (!set.contains(static_cast<std::uint8_t>(byte))) result.insert(static_cast<std::uint8_t>(byte));
  }
  return result;
}

ByteSet either_case(ByteSet set) noexcept {
  for (char c = 'a'; c <= 'z'; ++c) {
    const auto small = static_cast<std::uint8_t>(c), large = static_cast<std::uint8_t>(c & ~0x20);
    if (set.contains(small) || set.contains(large)) set.insert(small), set.insert(large);
  }
  return set;
}

// --- how requirements add up -----------------------------------------------------------------------------------------

bool is_rarer(const ByteSet& a, const ByteSet& b) noexcept { return commonness(a) < commonness(b); }

void keep_the_rarest(std::vector<ByteSet>& clauses) {
  if (clauses.size() < 2) return;
  std::vector<std::pair<double, ByteSet>> ranked;
  for (const ByteSet& clause : clauses) ranked.emplace_back(commonness(clause), clause);
  std::stable_sort(ranked.begin(), ranked.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  ranked.erase(std::unique(ranked.begin(), ranked.end()), ranked.end());
  clauses.clear();
  for (std::size_t i = 0; i < std::min(ranked.size(), Requirements::kClausesMax); ++i)
    clauses.push_back(ranked[i].second);
}

Requirements one_of(const ByteSet& set) {
  Requirements result{1, {}};
  if (set != ByteSet::all()) result.clauses.push_back(set);
  return result;
}

void follow(Requirements& first, const Requirements& then) {
  first.bytes_min = std::min(first.bytes_min + then.bytes_min, kBytesMinMax);
  first.clauses.insert(first.clauses.end(), then.clauses.begin(), then.clauses.end());
  keep_the_rarest(first.clauses);
}

// --- reading a pattern -----------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(std::string_view pattern) noexcept : pattern_(pattern) {}

  // Nothing: the pattern holds what we do not read.
  std::optional<Requirements> read() {
    Requirements result = alternatives(0);
    if (at_ != pattern_.size()) good_ = false;  // a `)` too many
    return good_ ? std::optional(std::move(result)) : std::nullopt;
  }

 private:
  bool more() const noexcept { return at_ < pattern_.size(); }
  char peek(std::size_t ahead = 0) const noexcept {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  bool take(std::string_view text) noexcept {
    if (!pattern_.substr(at_).starts_with(text)) return false;
    at_ += text.size();
    return true;
  }
  Requirements give_up() noexcept {
    good_ = false;
    at_ = pattern_.size();
    return {};
  }

  // Flags that are set inside a group hold to its end, over all alternatives that follow.
  Requirements alternatives(int depth) {
    if (depth > kDepthMax) return give_up();
    const bool caseless = caseless_;
    Requirements result = sequence(depth);
    while (more() && peek() == '|') {
      ++at_;
      result = either(result, sequence(depth));
    }
    caseless_ = caseless;
    return result;
  }

  Requirements sequence(int depth) {
    Requirements result;
    while (more() && peek() != '|' && peek() != ')') {
      Requirements item = quantified(atom(depth));
      follow(result, item);
    }
    return result;
  }

  Requirements quantified(Requirements item) {
    std::size_t least = 1;
    while (more()) {
      const char c = peek();
      if (c == '*' || c == '?') {
        least = 0;
        ++at_;
      } else if (c == '+') {
        ++at_;
      } else if (c == '{') {
        const auto count = repetition();
        if (!count) break;
        least *= *count;
      } else {
        break;
      }
      if (peek() == '?' || peek() == '+') ++at_;  // lazy, possessive
    }
    if (least == 0) return {};
    item.bytes_min = std::min(item.bytes_min * std::min(least, kBytesMinMax), kBytesMinMax);
    return item;
  }

  // `{3}`, `{3,}`, `{3,5}`: the least. Nothing: the brace is a character. `{,5}` is one or the other by version.
  std::optional<std::size_t> repetition() {
    std::size_t at = at_ + 1, least = 0;
    // PCRE2 10.43 reads `{,5}` and blanks inside the braces as a quantifier, earlier versions as characters.
    if (at < pattern_.size() && (pattern_[at] == ',' || is_space(pattern_[at])))
      return static_cast<void>(give_up()), std::size_t{0};
    const std::size_t digits = at;
    for (; at < pattern_.size() && is_digit(pattern_[at]); ++at)
      least = std::min<std::size_t>(least * 10 + static_cast<std::size_t>(pattern_[at] - '0'), 100'000);
    if (at == digits) return std::nullopt;
    if (at < pattern_.size() && is_space(pattern_[at])) return static_cast<void>(give_up()), std::size_t{0};
    if (at < pattern_.size() && pattern_[at] == ',') {
      ++at;
      while (at < pattern_.size() && is_digit(pattern_[at])) ++at;
    }
    if (at >= pattern_.size() || pattern_[at] != '}') return std::nullopt;
    at_ = at + 1;
    return least;
  }

  Requirements atom(int depth) {
    const char c = peek();
    switch (c) {
      case '(': return group(depth);
      case '[': ++at_; return one_of(character_class());
      case '\\': ++at_; return escape();
      case '.': ++at_; return one_of(ByteSet::all());
      case '^':
      case '$': ++at_; return {};
      default: ++at_; return literal(c);
    }
  }

  Requirements literal(char c) const { return one_of(cased(ByteSet::of({&c, 1}))); }
  ByteSet cased(const ByteSet& set) const noexcept { return caseless_ ? either_case(set) : set; }

  Requirements group(int depth) {
    ++at_;
    if (peek() == '*') return give_up();  // (*VERB)
    bool counts = true;
    const bool caseless = caseless_;
    if (take("?")) {
      if (take("#")) {
        while (more() && peek() != ')') ++at_;
        return take(")") && !invisible_before_quantifier() ? Requirements{} : give_up();
      }
      if (take(":") || take(">")) {
      } else if (take("=") || take("!") || take("<=") || take("<!")) {
        counts = false;
      } else if (take("P<") || take("<") || take("'")) {
        while (more() && (is_alphanumeric(peek()) || peek() == '_')) ++at_;
        if (!take(">") && !take("'")) return give_up();
      } else {
        return flags(depth);
      }
    }
    Requirements inside = alternatives(depth + 1);
    caseless_ = caseless;
    if (!take(")")) return give_up();
    return counts ? inside : Requirements{};
  }

  // Comments and `\E` are not there for a quantifier behind them: it belongs to what stands before.
  bool invisible_before_quantifier() const noexcept {
    const std::string_view rest = pattern_.substr(at_);
    return !rest.empty() && (std::string_view("*+?{").find(rest.front()) != std::string_view::npos ||
                             rest.starts_with("\\E") || rest.starts_with("(?#"));
  }

  // `(?i)`, `(?-s)`, `(?i:…)`. `s` and `m` change nothing here; `x` and all else is not read.
  Requirements flags(int depth) {
    const bool before = caseless_;
    bool on = true;
    for (; more() && peek() != ')' && peek() != ':'; ++at_) {
      switch (peek()) {
        case '-': on = false; break;
        case 'i': caseless_ = on; break;
        case 's':
        case 'm': break;
        default: return give_up();
      }
    }
    if (take(")")) return {};
    if (!take(":")) return give_up();
    Requirements inside = alternatives(depth + 1);
    caseless_ = before;
    return take(")") ? inside : give_up();
  }

  // Behind a backslash, outside of a class.
  Requirements escape() {
    if (!more()) return give_up();
    if (take("Q")) {
      Requirements result;
      while (more() && !take("\\E")) {
        const char c = pattern_[at_++];
        follow(result, literal(c));
      }
      return invisible_before_quantifier() ? give_up() : result;  // it means the last character alone
    }
    const char c = peek();
    if (c == 'E') return ++at_, invisible_before_quantifier() ? give_up() : Requirements{};
    if (std::string_view("bBAzZGK").find(c) != std::string_view::npos) return ++at_, Requirements{};
    if (c == 'R') return ++at_, one_of(kVertical);
    if (c == 'N') return ++at_, one_of(ByteSet::all());
    if (is_digit(c) && c != '0') {  // a back reference, or an octal number: the longest that both can be
      while (is_digit(peek())) ++at_;
      return {};
    }
    if (c == 'k' || c == 'g') return give_up();
    const auto set = escaped_set();
    return set ? one_of(*set) : give_up();
  }

  // What `\d`, `\x41`, `\n`, `\.` stand for, inside of classes and outside. Nothing: not read.
  std::optional<ByteSet> escaped_set() {
    const char c = pattern_[at_++];
    switch (c) {
      case 'd': return kDigits;
      case 'D': return all_but(kDigits);
      case 'w': return kWord;
      case 'W': return all_but(kWord);
      case 's': return kSpace;
      case 'S': return all_but(kSpace);
      case 'h': return kHorizontal;
      case 'H': return all_but(kHorizontal);
      case 'v': return kVertical;
      case 'V': return all_but(kVertical);
      default: break;
    }
    const auto byte = escaped_byte(c);
    return byte ? std::optional(cased(ByteSet::range(*byte, *byte))) : std::nullopt;
  }

  std::optional<std::uint8_t> escaped_byte(char c) {
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'f': return '\f';
      case 'a': return '\a';
      case 'e': return '\x1b';
      case '0': return octal();
      case 'x': return hexadecimal();
      default:
        // A letter or a digit that means something else to PCRE2; all others are themselves.
        if (is_alphanumeric(c)) return std::nullopt;
        return static_cast<std::uint8_t>(c);
    }
  }

  std::uint8_t octal() noexcept {  // behind `\0`: at most two more digits
    unsigned value = 0;
    for (int i = 0; i < 2 && peek() >= '0' && peek() <= '7'; ++i, ++at_)
      value = value * 8 + static_cast<unsigned>(peek() - '0');
    return static_cast<std::uint8_t>(value);
  }

  std::optional<std::uint8_t> hexadecimal() noexcept {
    if (take("{")) {
      unsigned value = 0;
      while (is_hex(peek()) && value < 256) value = value * 16 + hex_value(pattern_[at_++]);
      if (!take("}") || value > 255) return std::nullopt;
      return static_cast<std::uint8_t>(value);
    }
    unsigned value = 0;
    for (int i = 0; i < 2 && is_hex(peek()); ++i) value = value * 16 + hex_value(pattern_[at_++]);
    return static_cast<std::uint8_t>(value);
  }

  // Behind the opening bracket, to behind the closing one.
  ByteSet character_class() {
    const bool negated = take("^");
    ByteSet set;
    bool first = true;
    while (more() && (first || peek() != ']')) {
      first = false;
      std::optional<std::uint8_t> single;
      if (!class_item(set, single)) return give_up(), ByteSet::all();
      if (!single) continue;
      if (peek() == '-' && peek(1) != ']' && at_ + 1 < pattern_.size()) {
        ++at_;
        std::optional<std::uint8_t> last;
        if (!class_item(set, last)) return give_up(), ByteSet::all();
        // `[a-\d]`: the hyphen is itself.
        if (!last) {
          set.insert('-'), set.insert(*single);
        } else {
          set = set | ByteSet::range(*single, *last);
        }
      } else {
        set.insert(*single);
      }
    }
    if (!take("]")) return give_up(), ByteSet::all();
    if (caseless_) set = either_case(set);
    return negated ? all_but(set) : set;
  }

  // One item of a class: a set is added, a single byte is returned, for it may begin a range.
  bool class_item(ByteSet& set, std::optional<std::uint8_t>& single) {
    if (peek() == '[' && (peek(1) == ':' || peek(1) == '.' || peek(1) == '=')) return posix_class(set);
    const char c = pattern_[at_++];
    if (c != '\\') return single = static_cast<std::uint8_t>(c), true;
    if (!more()) return false;
    const char e = peek();
    if (e == 'b') return ++at_, single = '\b', true;
    if (e == 'Q' || e == 'E') return false;
    if (e >= '0' && e <= '7') {  // octal, up to three digits
      unsigned value = 0;
      for (int i = 0; i < 3 && peek() >= '0' && peek() <= '7'; ++i, ++at_)
        value = value * 8 + static_cast<unsigned>(peek() - '0');
      return single = static_cast<std::uint8_t>(value), value < 256;
    }
    if (std::string_view("dDwWsShHvV").find(e) != std::string_view::npos) return set = set | *escaped_set(), true;
    ++at_;
    single = escaped_byte(e);
    return single.has_value();
  }

  bool posix_class(ByteSet& set) {
    const std::size_t end = pattern_.find(":]", at_ + 2);
    if (peek(1) != ':' || end == std::string_view::npos) {
      if (peek(1) != ':') return false;
      return set.insert('['), ++at_, true;  // no class: the bracket is itself
    }
    std::string_view name = pattern_.substr(at_ + 2, end - at_ - 2);
    at_ = end + 2;
    const bool negated = name.starts_with("^");
    if (negated) name.remove_prefix(1);
    ByteSet found;
    if (name == "alpha")
      found = kUpper | kLower;
    else if (name == "digit")
      found = kDigits;
    else if (name == "alnum")
      found = kUpper | kLower | kDigits;
    else if (name == "upper")
      found = caseless_ ? kUpper | kLower : kUpper;
    else if (name == "lower")
      found = caseless_ ? kUpper | kLower : kLower;
    else if (name == "space")
      found = kSpace;
    else if (name == "word")
      found = kWord;
    else if (name == "xdigit")
      found = kDigits | ByteSet::range('a', 'f') | ByteSet::range('A', 'F');
    else if (name == "punct")
      found = ByteSet::of("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~");
    else if (name == "cntrl")
      found = ByteSet::range(0, 31) | ByteSet::range(127, 127);
    else if (name == "print")
      found = ByteSet::range(32, 126);
    else if (name == "graph")
      found = ByteSet::range(33, 126);
    else if (name == "blank")
      found = ByteSet::of(" \t");
    else if (name == "ascii")
      found = ByteSet::range(0, 127);
    else
      return false;
    set = set | (negated ? all_but(found) : found);
    return true;
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  bool caseless_ = false, good_ = true;
};

// Roughly, in a million bytes of arguments, headers and cookies.
constexpr std::array<std::uint32_t, 256> kCommon = [] {
  std::array<std::uint32_t, 256> common{};
  common.fill(1);
  for (unsigned c = 0x80; c < 256; ++c) common[c] = 20;
  for (char c = 'a'; c <= 'z'; ++c) common[static_cast<std::size_t>(c)] = 30'000;
  for (char c = 'A'; c <= 'Z'; ++c) common[static_cast<std::size_t>(c)] = 6'000;
  for (char c = '0'; c <= '9'; ++c) common[static_cast<std::size_t>(c)] = 25'000;
  for (const char c : std::string_view("jkqvwxyz")) common[static_cast<std::size_t>(c)] = 6'000;
  const auto set = [&](std::string_view bytes, std::uint32_t value) {
    for (const char c : bytes) common[static_cast<std::size_t>(c)] = value;
  };
  set(" ", 30'000);
  set(".-/_", 15'000);
  set(":,=", 4'000);
  set("&+%?@", 2'000);
  set(";()\"'", 1'000);
  set("!*#~[]{}", 300);
  set("<>|$\\^`\r\n\t", 100);
  return common;
}();

}  // namespace

// Either of two: each clause of the one together with that of the other which adds the least.
Requirements either(const Requirements& a, const Requirements& b) {
  Requirements result{std::min(a.bytes_min, b.bytes_min), {}};
  for (const ByteSet& one : a.clauses) {
    std::optional<ByteSet> best;
    for (const ByteSet& other : b.clauses) {
      const ByteSet both = one | other;
      if (!best || is_rarer(both, *best)) best = both;
    }
    if (best && *best != ByteSet::all()) result.clauses.push_back(*best);
  }
  keep_the_rarest(result.clauses);
  return result;
}

double commonness(const ByteSet& set) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t word = 0; word < 4; ++word) {
    for (std::uint64_t bits = set.words()[word]; bits != 0; bits &= bits - 1)
      sum += kCommon[64 * word + static_cast<std::size_t>(std::countr_zero(bits))];
  }
  return static_cast<double>(sum);
}

double probability(const ByteSet& set) noexcept {
  constexpr double kOrdinaryBytes = 24;
  return 1 - std::exp(-kOrdinaryBytes * commonness(set) / 1e6);
}

bool Requirements::met_by(std::string_view value) const noexcept { return met_by(value.size(), bytes_of(value)); }

Requirements requirements_of_regex(std::string_view pattern) { return Reader(pattern).read().value_or(Requirements{}); }

Requirements requirements_of_phrase(std::string_view phrase) {
  Requirements result{phrase.size(), {}};
  ByteSet seen;
  for (const char c : phrase) {
    const ByteSet set = either_case(ByteSet::of({&c, 1}));
    if (seen.intersects(set)) continue;
    seen = seen | set;
    result.clauses.push_back(set);
  }
  keep_the_rarest(result.clauses);
  return result;
}

}  // namespace gatehouse::waf
