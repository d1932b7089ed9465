#include "waf/seclang/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/spelling.h"

namespace gatehouse::waf {

std::string guess(std::string_view word, std::span<const std::string_view> known) {
  const std::string_view best = closest(word, known);
  return best.empty() ? std::string() : fmt::format("did you mean {}?", best);
}

std::optional<std::uint64_t> number(std::string_view text) noexcept {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::string shown(std::string_view text) {
  constexpr std::size_t kShownMax = 60;
  std::string result = "\"";
  for (const char c : text.substr(0, kShownMax)) result += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return result.append(text.size() > kShownMax ? "…\"" : "\"");
}

}  // namespace gatehouse::waf
