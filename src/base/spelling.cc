#include "base/spelling.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

namespace gatehouse {
namespace {

std::size_t distance(std::string_view a, std::string_view b) {
  // Optimal string alignment: a swap of neighbours counts one, as it is the commonest slip. Bounded: words are short.
  constexpr std::size_t kMax = 40;
  if (a.size() >= kMax || b.size() >= kMax) return kMax;
  std::array<std::array<std::size_t, kMax>, kMax> d{};
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0U : 1U;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string folded(std::string_view word) {
  std::string text;
  for (char c : word) text += c == '-' ? '_' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
  return text;
}

}  // namespace

std::string_view closest(std::string_view word, std::span<const std::string_view> known) noexcept {
  std::string_view best;
  std::size_t best_distance = 1 + std::max<std::size_t>(1, word.size() / 3);
  const std::string wanted = folded(word);
  for (const std::string_view candidate : known) {
    const std::size_t d = distance(wanted, folded(candidate));
    if (d < best_distance) best = candidate, best_distance = d;
  }
  return best;
}

}  // namespace gatehouse
