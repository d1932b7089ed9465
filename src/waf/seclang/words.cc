#include "waf/seclang/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/spelling.h"

namespace gatehouse::waf {
namespace {

constexpr char lower_of(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

}  // namespace

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower_of(c);
  return result;
}

bool same_word(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower_of(x) == lower_of(y); });
}

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
