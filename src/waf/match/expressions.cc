// What the pattern compiler can take of a rule.

#include <fmt/format.h>
#include <hs/hs.h>

#include "waf/characters.h"
#include "waf/match/match_plan_builder.h"
#include "waf/match/pattern_split.h"

namespace gatehouse::waf {
namespace {

// As Regex compiles them (operator/regex.h), and one report per value is enough.
constexpr unsigned kRegexFlags = HS_FLAG_DOTALL | HS_FLAG_MULTILINE | HS_FLAG_SINGLEMATCH;
constexpr unsigned kPhraseFlags = HS_FLAG_CASELESS | HS_FLAG_SINGLEMATCH;
constexpr int kSplitDepthMax = 6;
constexpr std::size_t kPiecesMax = 256;
constexpr std::size_t kPhraseBytesMax = 1024;  // looked for of a phrase; the compiler takes 16,000 characters

enum class Outcome : std::uint8_t { compiles, too_large, refused };

Outcome try_compile(const std::string& pattern, unsigned flags) {
  hs_database_t* database = nullptr;
  hs_compile_error_t* error = nullptr;
  if (hs_compile(pattern.c_str(), flags, HS_MODE_BLOCK, nullptr, &database, &error) == HS_SUCCESS) {
    hs_free_database(database);
    return Outcome::compiles;
  }
  const std::string_view message = error != nullptr && error->message != nullptr ? error->message : "";
  const Outcome outcome = message.find("too large") != std::string_view::npos ? Outcome::too_large : Outcome::refused;
  hs_free_compile_error(error);
  return outcome;
}

// False when not all of the pattern could be taken.
bool add_pattern(const std::string& pattern, int depth, std::vector<Expression>& out) {
  switch (try_compile(pattern, kRegexFlags)) {
    case Outcome::compiles: out.push_back({pattern, kRegexFlags, false, {}}); return true;
    case Outcome::too_large: {
      if (depth == kSplitDepthMax || out.size() > kPiecesMax) return false;
      const std::vector<std::string> pieces = split_alternatives(pattern);
      for (const std::string& piece : pieces) {
        if (!add_pattern(piece, depth + 1, out)) return false;
      }
      return !pieces.empty();
    }
    case Outcome::refused: break;
  }
  // Lookaround and back references: a superset of the pattern's matches will do.
  if (try_compile(pattern, kRegexFlags | HS_FLAG_PREFILTER) != Outcome::compiles) return false;
  out.push_back({pattern, kRegexFlags | HS_FLAG_PREFILTER, false, {}});
  return true;
}

std::string escaped(std::string_view phrase) {
  std::string out;
  for (const char c : phrase) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  return out;
}

// What rules themselves change, or what is worked out while they run, cannot be scanned before. A request's identifier
// could be, in each request anew, for a rule that is jumped over in most.
bool is_fixed(Variable variable) noexcept {
  switch (variable) {
    case Variable::tx:
    case Variable::ip:
    case Variable::geo:
    case Variable::rule:
    case Variable::duration:
    case Variable::matched_var:
    case Variable::matched_var_name:
    case Variable::matched_vars:
    case Variable::matched_vars_names:
    case Variable::args_combined_size:
    case Variable::unique_id: return false;
    default: return true;
  }
}

}  // namespace

bool is_direct(OperatorKind kind) noexcept {
  return kind == OperatorKind::detect_sqli || kind == OperatorKind::detect_xss ||
         kind == OperatorKind::validate_byte_range;
}

bool may_be_gated(const CompiledRule& rule) noexcept {
  if (rule.source->is_action || rule.source->chained || rule.op.negated || rule.targets.empty()) return false;
  for (const CompiledTarget& target : rule.targets) {
    if (target.count || !is_fixed(target.variable)) return false;
  }
  switch (rule.op.kind) {
    case OperatorKind::rx: return rule.op.regex.has_value();
    case OperatorKind::pm:
    case OperatorKind::pm_from_file: return true;
    default: return is_direct(rule.op.kind);
  }
}

// A pattern of which ordinary values meet the requirements is looked for in nearly all of them. Its alternatives one by
// one often require a byte that is rare: then each of them is looked for only where it may be.
static void add_selective(const std::string& pattern, int depth, std::vector<std::string>& out) {
  const auto chance = [](const std::string& text) {
    const Requirements required = requirements_of_regex(text);
    return required.clauses.empty() ? 1 : probability(required.clauses.front());
  };
  const double whole = chance(pattern);
  const std::vector<std::string> pieces =
      whole < 0.3 || depth == 4 ? std::vector<std::string>{} : split_alternatives(pattern);
  double sum = 0;
  for (const std::string& piece : pieces) sum += chance(piece);
  // Many pieces that are as common as the whole would only cost more.
  if (pieces.empty() || pieces.size() > 24 || sum > 0.7 * whole * static_cast<double>(pieces.size())) {
    out.push_back(pattern);
    return;
  }
  for (const std::string& piece : pieces) add_selective(piece, depth + 1, out);
}

// Where Hyperscan, which follows PCRE 8, and PCRE2 from 10.43 on would not read the same: `{,5}` and `{ 1, 5 }`. And a
// NUL ends what Hyperscan is handed.
static bool is_read_alike(std::string_view pattern) noexcept {
  if (pattern.find('\0') != std::string_view::npos) return false;
  for (std::size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    std::size_t end = at + 1;
    bool odd = false, digit = false;
    while (end < pattern.size() &&
           (is_digit(pattern[end]) || pattern[end] == ',' || pattern[end] == ' ' || pattern[end] == '\t')) {
      odd |= pattern[end] == ' ' || pattern[end] == '\t' || (pattern[end] == ',' && !digit);
      digit |= is_digit(pattern[end++]);
    }
    if (odd && digit && end < pattern.size() && pattern[end] == '}') return false;
  }
  return true;
}

std::vector<Expression> expressions_of_regex(const std::string& pattern) {
  if (!is_read_alike(pattern)) return {};
  std::vector<std::string> parts;
  add_selective(pattern, 0, parts);
  std::vector<Expression> result;
  for (const std::string& part : parts) {
    if (add_pattern(part, 0, result)) continue;
    // A part that matches the empty value, say: the pattern as a whole, then, or not at all.
    result.clear();
    if (!add_pattern(pattern, 0, result)) result.clear();
    break;
  }
  return result;
}

std::vector<Expression> expressions_of_phrases(const std::vector<std::string>& phrases) {
  std::vector<Expression> result;
  for (const std::string& phrase : phrases) {
    const std::string begin = phrase.substr(0, kPhraseBytesMax);  // what has the whole has its begin
    result.push_back({escaped(begin), kPhraseFlags, true, requirements_of_phrase(begin)});
  }
  return result;
}

}  // namespace gatehouse::waf
