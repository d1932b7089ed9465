// Arguments of operators that are compiled once: byte ranges and lists of networks.
#include <charconv>

#include "waf/operator/operator.h"
#include "waf/transform/scan.h"

namespace gatehouse::waf {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::optional<unsigned> small_number(std::string_view digits, unsigned max) noexcept {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size() || value > max) return std::nullopt;
  return value;
}

std::optional<Network> parse_network(std::string_view text) noexcept {
  const std::size_t slash = text.find('/');
  const auto address = IpAddress::parse(text.substr(0, slash));
  if (!address) return std::nullopt;
  Network network{*address, 128};
  if (slash != std::string_view::npos) {
    const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
    const auto prefix = small_number(text.substr(slash + 1), v4 ? 32 : 128);
    if (!prefix) return std::nullopt;
    network.prefix = static_cast<std::uint8_t>(v4 ? *prefix + 96 : *prefix);
  }
  for (int bit = network.prefix; bit < 128; ++bit) {
    auto& byte = network.base.bytes[static_cast<std::size_t>(bit / 8)];
    byte = static_cast<std::uint8_t>(byte & ~(0x80 >> (bit % 8)));
  }
  return network;
}

}  // namespace

Result<ByteSet> parse_byte_ranges(std::string_view ranges) {
  ByteSet set;
  for (std::size_t start = 0; start <= ranges.size();) {
    const std::size_t comma = std::min(ranges.find(',', start), ranges.size());
    const std::string_view part = trimmed(ranges.substr(start, comma - start));
    const std::size_t dash = part.find('-');
    const auto first = small_number(trimmed(part.substr(0, dash)), 255);
    const auto last = dash == std::string_view::npos ? first : small_number(trimmed(part.substr(dash + 1)), 255);
    if (!first || !last || *first > *last) {
      return fail(ErrorCode::invalid, fmt::format("`{}` is no byte value or range (0-255)", part));
    }
    set = set | ByteSet::range(static_cast<std::uint8_t>(*first), static_cast<std::uint8_t>(*last));
    start = comma + 1;
  }
  return set;
}

Result<IpList> IpList::parse(std::string_view list) {
  constexpr std::string_view kSeparators = ", \t\r\n";
  IpList parsed;
  for (std::size_t start = list.find_first_not_of(kSeparators); start != std::string_view::npos;) {
    const std::size_t end = std::min(list.find_first_of(kSeparators, start), list.size());
    const std::string_view part = list.substr(start, end - start);
    const auto network = parse_network(part);
    if (!network) return fail(ErrorCode::invalid, fmt::format("`{}` is no address or network", part));
    parsed.networks_.push_back(*network);
    start = list.find_first_not_of(kSeparators, end);
  }
  if (parsed.networks_.empty()) return fail(ErrorCode::invalid, "no address or network");
  return parsed;
}

}  // namespace gatehouse::waf
