#include "waf/match/pattern_split.h"

#include <gtest/gtest.h>

#include <random>

#include "waf/operator/regex.h"

namespace gatehouse::waf {
namespace {

using Pieces = std::vector<std::string>;

TEST(PatternSplit, AtAlternatives) {
  EXPECT_EQ(split_alternatives("a|b|c"), (Pieces{"a", "b", "c"}));
  EXPECT_EQ(split_alternatives("(?i)a|b"), (Pieces{"(?i)a", "(?i)b"}));
  EXPECT_EQ(split_alternatives("a(?:b|c)d"), (Pieces{"a(?:b)d", "a(?:c)d"}));
  EXPECT_EQ(split_alternatives("(?:a|b)"), (Pieces{"(?:a)", "(?:b)"}));
  EXPECT_EQ(split_alternatives("x(?:a|b)y(?:cc|dd|ee)z"),
            (Pieces{"x(?:a|b)y(?:cc)z", "x(?:a|b)y(?:dd)z", "x(?:a|b)y(?:ee)z"}));
  EXPECT_EQ(split_alternatives("a|"), (Pieces{"a", ""}));
}

TEST(PatternSplit, NotWhereItWouldChangeTheMeaning) {
  for (const char* pattern :
       {"abc", "(?:a|b)*", "(?:a|b){2,3}", "(?:a|b)+c", "[a|b]", "a\\|b", "\\Qa|b\\E", "(?=a|b)c", "(?!a|b)c",
        "(?>a|b)c", "[]|]", "[^]|]", "[[:alpha:]|]", "(a|b", "a)|b", "x(?i)a|b", "(*ANYCRLF)a|b"}) {
    EXPECT_EQ(split_alternatives(pattern), Pieces{}) << pattern;
  }
}

// The pieces together match where the whole does, and nowhere else.
TEST(PatternSplit, IsALosslessUnion) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const char* patterns[] = {"ab|cd|(?:a|c)d",  "(?i)x(?:a|bc|)y", "(?:a|b)(?:c|d|ab)",
                            "^(?:ab|c)d$|b+c", "[|a](?:b|[cd])",  "a(?:b(?:c|d)|x)y"};
  for (const char* pattern : patterns) {
    const auto whole = Regex::compile(pattern);
    ASSERT_TRUE(whole);
    std::vector<Regex> pieces;
    for (const std::string& piece : split_alternatives(pattern)) pieces.push_back(std::move(*Regex::compile(piece)));
    ASSERT_GT(pieces.size(), 1u) << pattern;
    for (int i = 0; i < 2000; ++i) {
      std::string value;
      for (std::size_t length = random() % 8; length > 0; --length) value += "abcdxyXB|\n"[random() % 10];
      const bool expected = whole->match(value) == Regex::Outcome::match;
      bool any = false;
      for (const Regex& piece : pieces) any |= piece.match(value) == Regex::Outcome::match;
      EXPECT_EQ(any, expected) << pattern << " on " << value;
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
