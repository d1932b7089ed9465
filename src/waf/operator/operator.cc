#include "waf/operator/operator.h"

#include <algorithm>
#include <limits>

#include "codec/json_writer.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

std::optional<Match> when(bool matched, Match match) noexcept {
  return matched ? std::optional<Match>(match) : std::nullopt;
}

bool is_letter(char c) noexcept { return lower(c) >= 'a' && lower(c) <= 'z'; }

}  // namespace

std::optional<Match> begins_with(std::string_view argument, std::string_view value) noexcept {
  return when(value.starts_with(argument), {0, argument.size()});
}

std::optional<Match> contains(std::string_view argument, std::string_view value) noexcept {
  const std::size_t at = value.find(argument);
  return when(at != std::string_view::npos, {at, argument.size()});
}

std::optional<Match> contains_word(std::string_view argument, std::string_view value) noexcept {
  for (std::size_t at = value.find(argument); at != std::string_view::npos; at = value.find(argument, at + 1)) {
    const std::size_t end = at + argument.size();
    if (argument.empty() ||
        ((at == 0 || !is_letter(value[at - 1])) && (end == value.size() || !is_letter(value[end])))) {
      return Match{at, argument.size()};
    }
  }
  return std::nullopt;
}

std::optional<Match> ends_with(std::string_view argument, std::string_view value) noexcept {
  return when(value.ends_with(argument), {value.size() - std::min(value.size(), argument.size()), argument.size()});
}

std::optional<Match> str_eq(std::string_view argument, std::string_view value) noexcept {
  return when(value == argument, {0, value.size()});
}

std::optional<Match> within(std::string_view argument, std::string_view value) noexcept {
  return when(argument.find(value) != std::string_view::npos, {0, value.size()});
}

std::int64_t number_of(std::string_view text) noexcept {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::size_t at = 0;
  while (at < text.size() && is_space(text[at])) ++at;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  std::uint64_t value = 0;
  for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
    const auto digit = static_cast<std::uint64_t>(text[at] - '0');
    if (value > (kLargest - digit) / 10) {
      return negative ? std::numeric_limits<std::int64_t>::min() : std::numeric_limits<std::int64_t>::max();
    }
    value = value * 10 + digit;
  }
  return negative ? -static_cast<std::int64_t>(value) : static_cast<std::int64_t>(value);
}

bool is_textual(OperatorKind kind) noexcept {
  switch (kind) {
    case OperatorKind::begins_with:
    case OperatorKind::contains:
    case OperatorKind::contains_word:
    case OperatorKind::ends_with:
    case OperatorKind::eq:
    case OperatorKind::ge:
    case OperatorKind::gt:
    case OperatorKind::le:
    case OperatorKind::lt:
    case OperatorKind::no_match:
    case OperatorKind::str_eq:
    case OperatorKind::str_match:
    case OperatorKind::unconditional:
    case OperatorKind::validate_url_encoding:
    case OperatorKind::validate_utf8_encoding:
    case OperatorKind::within: return true;
    case OperatorKind::detect_sqli:
    case OperatorKind::detect_xss:
    case OperatorKind::geo_lookup:
    case OperatorKind::ip_match:
    case OperatorKind::pm:
    case OperatorKind::pm_from_file:
    case OperatorKind::rbl:
    case OperatorKind::rx:
    case OperatorKind::validate_byte_range: return false;
  }
  return false;
}

std::optional<Match> match_textual(OperatorKind kind, std::string_view argument, std::string_view value) noexcept {
  const Match whole{0, value.size()};
  switch (kind) {
    case OperatorKind::begins_with: return begins_with(argument, value);
    case OperatorKind::contains:
    case OperatorKind::str_match: return contains(argument, value);
    case OperatorKind::contains_word: return contains_word(argument, value);
    case OperatorKind::ends_with: return ends_with(argument, value);
    case OperatorKind::eq: return when(number_of(value) == number_of(argument), whole);
    case OperatorKind::ge: return when(number_of(value) >= number_of(argument), whole);
    case OperatorKind::gt: return when(number_of(value) > number_of(argument), whole);
    case OperatorKind::le: return when(number_of(value) <= number_of(argument), whole);
    case OperatorKind::lt: return when(number_of(value) < number_of(argument), whole);
    case OperatorKind::str_eq: return str_eq(argument, value);
    case OperatorKind::unconditional: return whole;
    case OperatorKind::validate_url_encoding: return validate_url_encoding(value);
    case OperatorKind::validate_utf8_encoding: return validate_utf8_encoding(value);
    case OperatorKind::within: return within(argument, value);
    default: return std::nullopt;
  }
}

std::optional<Match> validate_url_encoding(std::string_view value) noexcept {
  for (std::size_t at = find_any<'%'>(value); at < value.size(); at = find_any<'%'>(value, at + 3)) {
    if (value.size() - at < 3 || !is_hex(value[at + 1]) || !is_hex(value[at + 2])) {
      return Match{at, std::min<std::size_t>(3, value.size() - at)};
    }
  }
  return std::nullopt;
}

std::optional<Match> validate_utf8_encoding(std::string_view value) noexcept {
  const char* const begin = value.data();
  const char* const end = begin + value.size();
  for (const char* at = begin + find_range<0x80, 0xff>(value); at < end;) {
    if (static_cast<std::uint8_t>(*at) < 0x80) {
      ++at;
      continue;
    }
    std::size_t bad_bytes = 0;
    const std::size_t size = codec::utf8_sequence(at, end, &bad_bytes);
    if (size == 0) return Match{static_cast<std::size_t>(at - begin), bad_bytes};
    at += size;
  }
  return std::nullopt;
}

std::optional<Match> validate_byte_range(const ByteSet& allowed, std::string_view value) noexcept {
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!allowed.contains(static_cast<std::uint8_t>(value[i]))) return Match{i, 1};
  }
  return std::nullopt;
}

bool IpList::contains(const IpAddress& address) const noexcept {
  const bool v4 = address.is_v4();
  return std::any_of(networks_.begin(), networks_.end(), [&](const Network& network) {
    return (!v4 || network.prefix >= 96) && network.contains(address);
  });
}

bool IpList::matches(std::string_view value) const noexcept {
  const auto address = IpAddress::parse(value);
  return address && contains(*address);
}

}  // namespace gatehouse::waf
