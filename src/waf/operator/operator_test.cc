#include "waf/operator/operator.h"
#include "waf/operator/injection.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace gatehouse::waf {
namespace {

using std::string_literals::operator""s;

TEST(Operator, MatchesSayWhichBytes) {
  struct Case {
    OperatorKind kind;
    std::string argument, value;
    std::optional<Match> match;
  };
  const Case cases[] = {
      {OperatorKind::begins_with, "ab", "abc", Match{0, 2}},
      {OperatorKind::begins_with, "ab", "xab", std::nullopt},
      {OperatorKind::contains, "b\0c"s, "ab\0cd"s, Match{1, 3}},
      {OperatorKind::contains_word, "union", "a union b", Match{2, 5}},
      {OperatorKind::contains_word, "union", "reunion union", Match{8, 5}},
      {OperatorKind::ends_with, ".pdf", "a.pdf", Match{1, 4}},
      {OperatorKind::ends_with, "a.pdf", ".pdf", std::nullopt},
      {OperatorKind::str_eq, "POST", "POST", Match{0, 4}},
      {OperatorKind::str_eq, "POST", "post", std::nullopt},
      {OperatorKind::within, "GET POST", "POST", Match{0, 4}},
      {OperatorKind::within, "GET POST", "PUT", std::nullopt},
      {OperatorKind::eq, "1", "01 apples", Match{0, 9}},
      {OperatorKind::validate_url_encoding, "", "a%20b%2x", Match{5, 3}},
      {OperatorKind::validate_url_encoding, "", "a%", Match{1, 1}},
      {OperatorKind::validate_utf8_encoding, "", "a\xc0\xaf", Match{1, 1}},
      {OperatorKind::validate_utf8_encoding, "", "\xe2\x82\xac", std::nullopt},
      {OperatorKind::unconditional, "", "abc", Match{0, 3}},
      {OperatorKind::no_match, "", "abc", std::nullopt},
  };
  for (const Case& c : cases) {
    EXPECT_TRUE(is_textual(c.kind));
    EXPECT_EQ(match_textual(c.kind, c.argument, c.value), c.match) << c.argument << " of " << c.value;
  }
  EXPECT_FALSE(is_textual(OperatorKind::rx));
}

TEST(Operator, NumbersSaturate) {
  constexpr auto kMax = std::numeric_limits<std::int64_t>::max();
  constexpr auto kMin = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(number_of(""), 0);
  EXPECT_EQ(number_of("abc"), 0);
  EXPECT_EQ(number_of(" \t\n+12x"), 12);
  EXPECT_EQ(number_of("-12"), -12);
  EXPECT_EQ(number_of("- 12"), 0);
  EXPECT_EQ(number_of("+-12"), 0);
  EXPECT_EQ(number_of("0x10"), 0);
  EXPECT_EQ(number_of("9223372036854775807"), kMax);
  EXPECT_EQ(number_of("9223372036854775808"), kMax);
  EXPECT_EQ(number_of("-9223372036854775808"), kMin);
  EXPECT_EQ(number_of("-99999999999999999999999"), kMin);
  // libmodsecurity's @eq reads what does not fit an `int` as 0, so that a length of 4294967296 equals none.
  EXPECT_FALSE(match_textual(OperatorKind::eq, "0", "4294967296"));
  EXPECT_TRUE(match_textual(OperatorKind::eq, "4294967296", "4294967296"));
}

TEST(Operator, ByteRanges) {
  EXPECT_EQ(*parse_byte_ranges("1-255"), ByteSet::range(1, 255));
  EXPECT_EQ(*parse_byte_ranges("9,10,13, 32 - 126"), ByteSet::of("\t\n\r") | ByteSet::range(32, 126));
  EXPECT_EQ(*parse_byte_ranges("0"), ByteSet::of("\0"s));
  for (const char* refused : {"", "a", "1,", "256", "-1", "5-1", "1-256", "1-", "-", "1-2-3", "0x20"}) {
    EXPECT_FALSE(parse_byte_ranges(refused)) << refused;
  }
  EXPECT_EQ(validate_byte_range(ByteSet::range(32, 126), "a\nb"), (Match{1, 1}));
  EXPECT_EQ(validate_byte_range(ByteSet::range(32, 126), "plain"), std::nullopt);
}

TEST(Operator, IpLists) {
  const auto list = IpList::parse("10.0.0.1/8, 192.0.2.7,2001:db8::1/32\t::1");
  ASSERT_TRUE(list);
  for (const char* inside : {"10.0.0.1", "10.255.255.255", "192.0.2.7", "2001:db8:ffff::", "::1", "::ffff:10.1.2.3"}) {
    EXPECT_TRUE(list->matches(inside)) << inside;
  }
  for (const char* outside : {"11.0.0.1", "192.0.2.8", "2001:db9::", "::2", "", "x", "10.0.0.1/8", "10.0.0.1 "}) {
    EXPECT_FALSE(list->matches(outside)) << outside;
  }
  // A network of IPv6 is not one of IPv4 because of how the addresses are held.
  EXPECT_FALSE(IpList::parse("::/0")->matches("192.0.2.7"));
  EXPECT_TRUE(IpList::parse("0.0.0.0/0")->matches("192.0.2.7"));
  EXPECT_FALSE(IpList::parse("0.0.0.0/0")->matches("2001:db8::"));
  for (const char* refused : {"", " , ", "10.0.0.0/33", "10.0.0/8", "::/129", "10.0.0.0/", "example", "1.2.3.4/x"}) {
    EXPECT_FALSE(IpList::parse(refused)) << refused;
  }
}

TEST(Operator, InjectionsAreToldByFingerprint) {
  const auto found = detect_sqli("1' OR '1'='1");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->view(), "s&sos");
  EXPECT_FALSE(detect_sqli("O'Brien"));
  EXPECT_FALSE(detect_sqli(""));
  EXPECT_TRUE(detect_xss("<script>alert(1)</script>"));
  EXPECT_FALSE(detect_xss("a < b"));
  EXPECT_FALSE(detect_xss(""));
  EXPECT_TRUE(detect_xss("\0<script>\0alert(1)"s));
}

}  // namespace
}  // namespace gatehouse::waf
