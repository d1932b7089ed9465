#include "waf/operator/regex.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::waf {
namespace {

using std::string_literals::operator""s;

TEST(Regex, DotMatchesLineEndsAndAnchorsMatchAtThem) {
  EXPECT_EQ(Regex::compile("a.b")->match("a\nb"), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("^b$")->match("a\nb\nc"), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("^$")->match(""), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("")->match(""), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("a\\x00b")->match("xa\0by"s), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("[^\\x00-\\x7f]")->match("\xff"), Regex::Outcome::match);
  EXPECT_EQ(Regex::compile("B")->match("b"), Regex::Outcome::no_match);
}

TEST(Regex, CapturesTenGroups) {
  Captures captures;
  ASSERT_EQ(Regex::compile("b(c)(x)?(d)")->match("abcd", &captures), Regex::Outcome::match);
  EXPECT_EQ(captures[0], (Match{1, 3}));
  EXPECT_EQ(captures[1], (Match{2, 1}));
  EXPECT_EQ(captures[2], std::nullopt);
  EXPECT_EQ(captures[3], (Match{3, 1}));
  EXPECT_EQ(captures[4], std::nullopt);
  ASSERT_EQ(Regex::compile("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(k)")->match("abcdefghijk", &captures),
            Regex::Outcome::match);
  EXPECT_EQ(captures[0], (Match{0, 11}));
  EXPECT_EQ(captures[9], (Match{8, 1}));
  // A match leaves nothing of the one before.
  ASSERT_EQ(Regex::compile("a")->match("a", &captures), Regex::Outcome::match);
  EXPECT_EQ(captures[9], std::nullopt);
}

TEST(Regex, GivesUpAtTheLimit) {
  const auto hostile = Regex::compile("^(?:a+)+$");
  EXPECT_EQ(hostile->match(std::string(30, 'a') + "b"), Regex::Outcome::limit_reached);
  EXPECT_EQ(hostile->match("aaaa"), Regex::Outcome::match);
  EXPECT_EQ(hostile->match("aaab"), Regex::Outcome::no_match);
  EXPECT_EQ(hostile->match("aaab", nullptr, 1), Regex::Outcome::limit_reached);
  // Recursion is bounded by its stack.
  EXPECT_EQ(Regex::compile("(?:\\((?R)*\\))")->match(std::string(1'000'000, '(')), Regex::Outcome::limit_reached);
  // What the JIT compiler refuses has the same limits.
  EXPECT_EQ(Regex::compile("(*NO_JIT)^(?:a+)+$")->match(std::string(30, 'a') + "b"), Regex::Outcome::limit_reached);
}

TEST(Regex, EcmaMeansCodePointsAndTheVeryEnd) {
  const auto matches = [](std::string_view pattern, std::string_view value) {
    return Regex::compile(pattern, Regex::Dialect::ecma)->match(value);
  };
  EXPECT_EQ(matches("^[a-z]+$", "abc"), Regex::Outcome::match);
  EXPECT_EQ(matches("^[a-z]+$", "abc\n"), Regex::Outcome::no_match);
  EXPECT_EQ(matches("^[a-z]+$", "ABC\nabc\nABC"), Regex::Outcome::no_match);
  EXPECT_EQ(matches("^.$", "ä"), Regex::Outcome::match);
  EXPECT_EQ(matches("^.$", "\n"), Regex::Outcome::no_match);
  EXPECT_EQ(matches("^\\u00e4[^]$", "ä\n"), Regex::Outcome::match);
  EXPECT_EQ(matches("^.*$", "\xff"), Regex::Outcome::limit_reached);
  EXPECT_FALSE(Regex::compile("(*LIMIT_MATCH=4000000000)(a+)+$", Regex::Dialect::ecma));
}

TEST(Regex, ErrorsNameThePlace) {
  const auto refused = Regex::compile("ab(c");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "missing closing parenthesis, at byte 4 of the pattern");
}

}  // namespace
}  // namespace gatehouse::waf
