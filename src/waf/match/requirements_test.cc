#include "waf/match/requirements.h"

#include <gtest/gtest.h>

#include <random>

#include "waf/operator/regex.h"

namespace gatehouse::waf {
namespace {

struct Case {
  const char* pattern;
  std::size_t bytes_min;
  std::vector<std::string> clauses;  // in any order
};

std::string text_of(const ByteSet& set) {
  std::string text;
  for (unsigned byte = 0; byte < 256; ++byte) {
    if (set.contains(static_cast<std::uint8_t>(byte))) text += static_cast<char>(byte);
  }
  return text;
}

TEST(Requirements, OfPatterns) {
  const Case cases[] = {
      {"abc", 3, {"a", "b", "c"}},
      {"(?i)ab", 2, {"Aa", "Bb"}},
      {"(?i:a)b", 2, {"Aa", "b"}},
      {"a|b", 1, {"ab"}},
      {"ab|ac", 2, {"a", "ab"}},
      {"a(?i)b|c", 1, {"Cac", "BCbc"}},
      {"a*b", 1, {"b"}},
      {"a+b?", 1, {"a"}},
      {"a+?b", 2, {"a", "b"}},
      {"a{3}", 3, {"a"}},
      {"a{0,3}b", 1, {"b"}},
      {"a{2,}?b", 3, {"a", "b"}},
      {"a{x", 3, {"a", "x", "{"}},
      {"[ab]c", 2, {"ab", "c"}},
      {"[a-c]", 1, {"abc"}},
      {"[]a]", 1, {"]a"}},
      {"[a\\]]", 1, {"]a"}},
      {"[a-]", 1, {"-a"}},
      {"\\x41\\n", 2, {"A", "\n"}},
      {"\\d", 1, {"0123456789"}},
      {"(?=a)b", 1, {"b"}},
      {"(?!a)b", 1, {"b"}},
      {"(?<=a)b", 1, {"b"}},
      {"^a$", 1, {"a"}},
      {"\\ba\\b", 1, {"a"}},
      {"(a)\\1", 1, {"a"}},
      {"a.b", 3, {"a", "b"}},
      {"\\Qa.b\\E", 3, {"a", ".", "b"}},
      {"(?:a|)b", 1, {"b"}},
      {"(?:)", 0, {}},
      {"(?#comment)a", 1, {"a"}},
      // not read, so nothing is required
      {"(?x)a b", 0, {}},
      {"(?(1)a|b)", 0, {}},
      {"(?R)?a", 0, {}},
      {"(*ANYCRLF)a", 0, {}},
      {"a\\p{L}", 0, {}},
      {"a{,3}b", 0, {}},
      {"a{ 0,3}b", 0, {}},
      {"a(?#none)*b", 0, {}},
      {"a\\E?b", 0, {}},
      {"\\Qab\\E*c", 0, {}},
      {"(?i)[^[:^upper:]]", 1, {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.pattern);
    const Requirements found = requirements_of_regex(each.pattern);
    EXPECT_EQ(found.bytes_min, each.bytes_min);
    std::vector<std::string> clauses;
    for (const ByteSet& clause : found.clauses) clauses.push_back(text_of(clause));
    std::vector<std::string> expected = each.clauses;
    std::sort(clauses.begin(), clauses.end());
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(clauses, expected);
  }
}

TEST(Requirements, OfPhrasesLetterCaseAside) {
  const Requirements found = requirements_of_phrase("a/B");
  EXPECT_EQ(found.bytes_min, 3u);
  EXPECT_TRUE(found.met_by("x A/b"));
  EXPECT_FALSE(found.met_by("x Ab"));
  EXPECT_FALSE(found.met_by("/b"));
}

// Patterns put together at random, values likewise: what PCRE2 matches fulfils the requirements.
TEST(Requirements, AreMetByAllThatMatches) {
  const std::uint32_t seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const char* parts[] = {"a",  "b",  "B",        "[ab]",     "[^a]",   "(?:a|bc)",    "(?i)",  "(?i:aB)",
                         "x?", "a*", "b+?",      "(?=a)",    "(a|b)?", "\\w",         "\\W",   "\\s*",
                         ".",  "|",  "(?:b|c|)", "a{2}",     "c{0,2}", "[[:alpha:]]", "\\x62", "(?-i)",
                         "^",  "$",  "\\b",      "[a-c\\-]", "(?!b)",  "(?<=a)"};
  int matched = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::string pattern;
    for (std::size_t count = 1 + random() % 6; count > 0; --count) pattern += parts[random() % std::size(parts)];
    const auto regex = Regex::compile(pattern);
    if (!regex) continue;
    const Requirements required = requirements_of_regex(pattern);
    for (int j = 0; j < 20; ++j) {
      std::string value;
      for (std::size_t length = random() % 6; length > 0; --length) value += "abcABCx-. \n"[random() % 11];
      if (regex->match(value) != Regex::Outcome::match) continue;
      ++matched;
      ASSERT_TRUE(required.met_by(value)) << pattern << " matches " << value;
    }
  }
  EXPECT_GT(matched, 10'000);
}

}  // namespace
}  // namespace gatehouse::waf
