#include "waf/operator/phrases.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

namespace gatehouse::waf {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// What `find` promises, in the plainest way.
std::optional<PhraseMatch> find_plainly(const std::vector<std::string>& phrases, std::string_view value) {
  std::optional<PhraseMatch> best;
  for (std::size_t i = 0; i < phrases.size(); ++i) {
    const std::string& phrase = phrases[i];
    const auto at = std::search(value.begin(), value.end(), phrase.begin(), phrase.end(),
                                [](char a, char b) { return lower(a) == lower(b); });
    if (at == value.end()) continue;
    const PhraseMatch found{i, {static_cast<std::size_t>(at - value.begin()), phrase.size()}};
    const std::size_t end = found.match.offset + found.match.size;
    if (!best || end < best->match.offset + best->match.size ||
        (end == best->match.offset + best->match.size && found.match.size > best->match.size)) {
      best = found;
    }
  }
  return best;
}

TEST(PhraseSet, FindsWhatAPlainSearchFinds) {
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  const auto text = [&](std::size_t size_min, std::size_t size_max) {
    std::string made(size_min + random() % (size_max - size_min + 1), 0);
    for (char& c : made) c = "abAB./\xe9"[random() % 8];  // the NUL as well
    return made;
  };
  for (int round = 0; round < 60; ++round) {
    std::vector<std::string> phrases(1 + random() % 20);
    for (std::string& phrase : phrases) {
      phrase = text(1, 6);
    }
    const auto set = PhraseSet::compile(phrases);
    ASSERT_TRUE(set) << set.error().message;
    for (int i = 0; i < 100; ++i) {
      const std::string value = text(0, 40);
      const auto expected = find_plainly(phrases, value);
      const auto found = set->find(value);
      ASSERT_EQ(found.has_value(), expected.has_value()) << "seed " << seed << " value " << value;
      if (found) {
        EXPECT_EQ(found->match, expected->match) << "seed " << seed << " value " << value;
      }
    }
  }
}

TEST(PhraseSet, TellsWhichAndWhere) {
  const auto a = PhraseSet::compile(std::vector<std::string>{"select", "union", "UNION"});
  EXPECT_EQ(a->find("a UNION b")->phrase, 1u);
  EXPECT_FALSE(a->find(""));
  EXPECT_EQ(PhraseSet::compile(std::vector<std::string>{"/etc/passwd"})->find("x/ETC/passwd")->match, (Match{1, 11}));
}

// What begins over and over, and never ends, is read once.
TEST(PhraseSet, IsLinear) {
  std::string half(2000, 'a');
  const auto set = PhraseSet::compile(std::vector<std::string>{half + "b", half.substr(0, 1000) + "c", "aab"});
  EXPECT_FALSE(set->find(std::string(4 << 20, 'a')));
  EXPECT_EQ(set->find(std::string(4 << 20, 'a') + "c")->match, (Match{(4 << 20) - 1000, 1001}));
}

TEST(PhraseSet, RefusesNothingness) {
  EXPECT_FALSE(PhraseSet::compile({}));
  const std::vector<std::string> empty{"a", ""};
  EXPECT_FALSE(PhraseSet::compile(empty));
}

}  // namespace
}  // namespace gatehouse::waf
