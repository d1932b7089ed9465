#pragma once
// SecLang's operators that need nothing of a request: an argument, a value, and which bytes of the value matched.
//
// Values hold any bytes. Each function is linear in the value, but for regular expressions, which have a limit of their
// own (regex.h). Arguments are what remains after macros were expanded. Negation (`!@eq`) is the caller's.
//
// Semantics: libmodsecurity 3.0.9, which the tests compare with; differences and their reasons stand in
// operator_oracle_test.cc.
// Thread safety: pure functions and immutable values.
// Source: ModSecurity Reference Manual v3, "Operators".

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "waf/byte_set.h"
#include "waf/rule.h"

namespace gatehouse::waf {

// The bytes of the value that made an operator match.
struct Match {
  std::size_t offset = 0;
  std::size_t size = 0;
  bool operator==(const Match&) const = default;
};

// Comparisons are of bytes: case matters. An empty argument matches every value, an empty value is within everything.
std::optional<Match> begins_with(std::string_view argument, std::string_view value) noexcept;
std::optional<Match> contains(std::string_view argument, std::string_view value) noexcept;
std::optional<Match> contains_word(std::string_view argument, std::string_view value) noexcept;
std::optional<Match> ends_with(std::string_view argument, std::string_view value) noexcept;
std::optional<Match> str_eq(std::string_view argument, std::string_view value) noexcept;
std::optional<Match> within(std::string_view argument, std::string_view value) noexcept;  // the value in the argument

// A number as C reads it: white space, a sign, digits; what follows is ignored, nothing is 0, and what does not fit is
// the nearest that does.
std::int64_t number_of(std::string_view text) noexcept;

// One of the operators above, or eq, ge, gt, le, lt, str_match (as `contains`), unconditional, no_match,
// validate_url_encoding, validate_utf8_encoding: those that are fully told by kind, argument and value.
bool is_textual(OperatorKind kind) noexcept;
std::optional<Match> match_textual(OperatorKind kind, std::string_view argument, std::string_view value) noexcept;

// Match: the first `%` that is not followed by two hexadecimal digits.
std::optional<Match> validate_url_encoding(std::string_view value) noexcept;
// Match: the first bytes that are not UTF-8 (RFC 3629: nothing overlong, no surrogates, at most U+10FFFF).
std::optional<Match> validate_utf8_encoding(std::string_view value) noexcept;

// `9,10,13,32-126`. The error names the part that is wrong.
Result<ByteSet> parse_byte_ranges(std::string_view ranges);
// Match: the first byte that is not allowed. Ask `bytes_of(value).is_subset_of(allowed)` when that is at hand.
std::optional<Match> validate_byte_range(const ByteSet& allowed, std::string_view value) noexcept;

// A list of addresses and networks, separated by commas or white space: `10.0.0.0/8, 2001:db8::/32, 127.0.0.1`. Bits
// behind a prefix are ignored. IPv6 networks hold no IPv4 addresses, but for those written as mapped ones.
class IpList {
 public:
  static Result<IpList> parse(std::string_view list);
  bool contains(const IpAddress& address) const noexcept;
  bool matches(std::string_view value) const noexcept;  // what is no address never does

 private:
  std::vector<Network> networks_;
};

}  // namespace gatehouse::waf
