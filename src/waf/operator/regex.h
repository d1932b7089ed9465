#pragma once
// Perl-compatible regular expressions with a bound on the work.
//
// @rx: over bytes; `.` matches a newline too and `^` and `$` match at lines (`(?sm)`), as libmodsecurity compiles them;
// no UTF-8 mode. ECMA-262, for `pattern` of JSON Schema: over code points, `$` at the very end only, no verbs in front;
// a value that is not UTF-8 counts as a limit reached.
// A backtracking matcher can take exponential time: a match gives up at `match_limit` and says so. What that means for
// the request is the caller's decision, never "no match" by itself. Machine code is made at the first match, for most
// patterns of a rule set never match: it takes six times the memory of the pattern. Thread safety: a Regex is immutable
// to its users; threads share it, each with working memory of its own inside. Source: pcre2api(3), pcre2jit(3).

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "waf/operator/operator.h"

namespace gatehouse::waf {

// The whole match and its groups 1 to 9, as `TX:0` to `TX:9` have them; groups that took no part are null.
constexpr std::size_t kCapturesMax = 10;
using Captures = std::array<std::optional<Match>, kCapturesMax>;

class Regex {
 public:
  enum class Outcome : std::uint8_t { no_match, match, limit_reached };

  enum class Dialect : std::uint8_t { modsecurity, ecma };

  // The error tells where in the pattern and why.
  static Result<Regex> compile(std::string_view pattern, Dialect dialect = Dialect::modsecurity);

  // Steps of backtracking, as PCRE2 counts them: anew from each place where a match may begin. About 5 ns each.
  static constexpr std::uint32_t kMatchLimit = 100'000;
  Outcome match(std::string_view value, Captures* captures = nullptr,
                std::uint32_t match_limit = kMatchLimit) const noexcept;

  // Only the places from `first` to `last`, both included, where a match may begin. The value stays whole: what stands
  // before the first is looked behind at. modsecurity only.
  struct Starts {
    std::size_t first = 0, last = 0;
  };
  Outcome match_from(Starts starts, std::string_view value, Captures* captures,
                     std::uint32_t match_limit) const noexcept;
  // Whether trying the places part by part comes to what trying them all does: no verb passes over places, and nothing
  // asks for where the trying began.
  bool is_divisible() const noexcept { return divisible_; }
  // How many places of a value are tried. Only the first, of a pattern that begins with `\A` or `.*`.
  std::size_t starts(std::string_view value) const noexcept { return anchored_ ? 1 : value.size() + 1; }

 private:
  class Code;
  struct CodeDelete {
    void operator()(Code* code) const noexcept;
  };
  Regex(Code* code, bool divisible, bool anchored) noexcept : code_(code), divisible_(divisible), anchored_(anchored) {}
  Outcome run(std::string_view value, std::size_t first, std::size_t last, Captures* captures,
              std::uint32_t match_limit) const noexcept;

  std::unique_ptr<Code, CodeDelete> code_;
  bool divisible_ = false, anchored_ = false;
};

}  // namespace gatehouse::waf
