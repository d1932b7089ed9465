#include "waf/body/urlencoded.h"

#include <gtest/gtest.h>

#include <random>

#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using namespace std::literals;

Pairs in_order(const std::vector<NameValue>& values) {
  Pairs out;
  for (const NameValue& value : values) out.emplace_back(value.name, value.value);
  return out;
}

struct UrlencodedCase {
  const char* name;
  std::string text;
  Pairs expected;
  bool invalid_escape = false;
};

const UrlencodedCase kUrlencoded[] = {
    {"nothing", "", {}},
    {"one", "a=1", {{"a", "1"}}},
    {"two", "a=1&b=2", {{"a", "1"}, {"b", "2"}}},
    {"the same name twice", "a=1&a=2", {{"a", "1"}, {"a", "2"}}},
    {"no value", "a", {{"a", ""}}},
    {"empty value", "a=", {{"a", ""}}},
    {"empty name", "=1", {{"", "1"}}},
    {"only the sign", "=", {{"", ""}}},
    {"the first sign splits", "a=b=c", {{"a", "b=c"}}},
    {"an empty piece is an argument", "a&&b", {{"a", ""}, {"", ""}, {"b", ""}}},
    {"a closing separator is none", "a=1&", {{"a", "1"}}},
    {"a leading one is", "&a=1", {{"", ""}, {"a", "1"}}},
    {"alone", "&", {{"", ""}}},
    {"semicolon does not separate", "a=1;b=2", {{"a", "1;b=2"}}},
    {"plus", "a+b=c+d", {{"a b", "c d"}}},
    {"escapes", "%61=%2b%2B%00", {{"a", "++\0"s}}},
    {"escaped separators are data", "a%3Db=c%26d", {{"a=b", "c&d"}}},
    {"not decoded twice", "a=%2561", {{"a", "%61"}}},
    {"no digits", "a=%zz", {{"a", "%zz"}}, true},
    {"one digit", "a=%4z", {{"a", "%4z"}}, true},
    {"second digit missing", "a=%4", {{"a", "%4"}}, true},
    {"nothing behind", "a=%", {{"a", "%"}}, true},
    {"an escape across the separator is none", "a=%4&1=2", {{"a", "%4"}, {"1", "2"}}, true},
    {"in a name", "%=1", {{"%", "1"}}, true},
    {"a valid escape behind an invalid one", "a=%%41", {{"a", "%A"}}, true},
    {"no Unicode escapes", "a=%u0041", {{"a", "%u0041"}}, true},
    {"high bytes", "a=\xff\xc3&\xe9=1", {{"a", "\xff\xc3"}, {"\xe9", "1"}}},
    {"line ends stay", "a=1\r\n", {{"a", "1\r\n"}}},
};

TEST(Urlencoded, NamedCases) {
  for (const UrlencodedCase& c : kUrlencoded) {
    Arena arena;
    std::vector<NameValue> out;
    const UrlencodedResult result = parse_urlencoded(c.text, 100, arena, out);
    EXPECT_EQ(in_order(out), c.expected) << c.name;
    EXPECT_EQ(result.invalid_escape, c.invalid_escape) << c.name;
    EXPECT_FALSE(result.too_many) << c.name;
  }
}

void compare_with_modsecurity(const std::string& text) {
  Arena arena;
  Body body;
  read_urlencoded_body(text, {}, arena, body);
  const auto theirs = modsecurity_bodies().read({.content_type = "application/x-www-form-urlencoded", .body = text});
  ASSERT_EQ(pairs_of(body.arguments), pairs_of(theirs->m_variableArgsPost)) << ::testing::PrintToString(text);
  ASSERT_EQ(body.invalid_escape, theirs->m_variableUrlEncodedError.m_value == "1") << ::testing::PrintToString(text);
}

TEST(Urlencoded, AgreesWithModSecurity) {
  ASSERT_TRUE(modsecurity_bodies().is_loaded());
  for (const UrlencodedCase& c : kUrlencoded) compare_with_modsecurity(c.text);
  std::mt19937 random(20261122);
  const std::string_view alphabet = "&&==%%+;ab04fFgG \r\n\xff"sv;
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 24, '\0');
    for (char& c : text) c = random() % 40 == 0 ? '\0' : alphabet[random() % alphabet.size()];
    ASSERT_NO_FATAL_FAILURE(compare_with_modsecurity(text));
  }
}

TEST(Urlencoded, TheBoundIsFlagged) {
  Arena arena;
  Body body;
  read_urlencoded_body("a=1&b=2&c=3", {.arguments_max = 3}, arena, body);
  EXPECT_EQ(body.error, BodyError::none);
  body.clear();
  read_urlencoded_body("a=1&b=2&c=3&d", {.arguments_max = 3}, arena, body);
  EXPECT_EQ(body.arguments.size(), 3U);
  EXPECT_EQ(body.error, BodyError::too_many_arguments);
  EXPECT_EQ(body.error_offset, 12U);
}

// What needs no decoding costs no memory.
TEST(Urlencoded, PlainValuesAreViewsOfTheText) {
  const std::string text = "name=value&a%62=1";
  Arena arena;
  std::vector<NameValue> out;
  parse_urlencoded(text, 100, arena, out);
  EXPECT_EQ(out[0].name.data(), text.data());
  EXPECT_EQ(out[0].value.data(), text.data() + 5);
  EXPECT_EQ(out[1].name, "ab");
}

struct CookieCase {
  const char* name;
  std::string text;
  Pairs expected;
};

const CookieCase kCookies[] = {
    {"nothing", "", {}},
    {"one", "a=1", {{"a", "1"}}},
    {"two", "a=1; b=2", {{"a", "1"}, {"b", "2"}}},
    {"no space", "a=1;b=2", {{"a", "1"}, {"b", "2"}}},
    {"the same name twice", "a=1; a=2", {{"a", "1"}, {"a", "2"}}},
    {"no value", "a; b", {{"a", ""}, {"b", ""}}},
    {"empty value", "a=;b=2", {{"a", ""}, {"b", "2"}}},
    {"no name", "=1; b=2", {{"b", "2"}}},
    {"white space for a name", " \t=1; b=2", {{"b", "2"}}},
    {"empty pieces", ";;a=1;;", {{"a", "1"}}},
    {"the first sign splits", "a=b=c", {{"a", "b=c"}}},
    {"space before a separator belongs to the value", "a=1 ; b=2", {{"a", "1 "}, {"b", "2"}}},
    {"at the end it does not", "a=1; b=2 \t", {{"a", "1"}, {"b", "2"}}},
    {"at the end behind a separator", "a=1 ; ", {{"a", "1 "}}},
    {"space around the sign", "a = 1", {{"a ", " 1"}}},
    {"not decoded", "a=%41+b", {{"a", "%41+b"}}},
    {"quotes stay", "a=\"1;b=2\"", {{"a", "\"1"}, {"b", "2\""}}},
    {"comma does not separate", "a=1, b=2", {{"a", "1, b=2"}}},
    {"the RFC 2965 attributes are cookies", "$Version=1; a=1", {{"$Version", "1"}, {"a", "1"}}},
    {"high bytes", "\xe9=\xff", {{"\xe9", "\xff"}}},
};

void compare_cookies_with_modsecurity(const std::string& text) {
  std::vector<NameValue> ours;
  ASSERT_TRUE(parse_cookies(text, 1000, ours));
  const auto theirs = modsecurity_bodies().read({.cookie = text});
  ASSERT_EQ(pairs_of(ours), pairs_of(theirs->m_variableRequestCookies)) << ::testing::PrintToString(text);
}

TEST(Cookies, NamedCases) {
  for (const CookieCase& c : kCookies) {
    std::vector<NameValue> out;
    EXPECT_TRUE(parse_cookies(c.text, 100, out)) << c.name;
    EXPECT_EQ(in_order(out), c.expected) << c.name;
  }
}

TEST(Cookies, AgreeWithModSecurity) {
  for (const CookieCase& c : kCookies) compare_cookies_with_modsecurity(c.text);
  std::mt19937 random(20261122);
  const std::string_view alphabet = ";;==ab \t\v\r\xff\xa0"sv;
  for (int round = 0; round < 3000; ++round) {
    std::string text(random() % 16, '\0');
    for (char& c : text) c = random() % 40 == 0 ? '\0' : alphabet[random() % alphabet.size()];
    ASSERT_NO_FATAL_FAILURE(compare_cookies_with_modsecurity(text));
  }
}

TEST(Cookies, TheBoundIsFlagged) {
  std::vector<NameValue> out;
  EXPECT_TRUE(parse_cookies("a;b;c;;", 3, out));
  out.clear();
  EXPECT_FALSE(parse_cookies("a;b;c;d", 3, out));
  EXPECT_EQ(out.size(), 3U);
}

TEST(BodyProcessors, AreSelectedByPrefix) {
  EXPECT_EQ(default_processor("application/x-www-form-urlencoded"), BodyProcessor::urlencoded);
  EXPECT_EQ(default_processor("Application/X-WWW-Form-URLencoded; charset=utf-8"), BodyProcessor::urlencoded);
  EXPECT_EQ(default_processor("MULTIPART/form-data; boundary=x"), BodyProcessor::multipart);
  EXPECT_EQ(default_processor("multipart/form-data"), BodyProcessor::multipart);
  EXPECT_EQ(default_processor("multipart/mixed; boundary=x"), BodyProcessor::multipart);
  EXPECT_EQ(default_processor("application/json"), BodyProcessor::json);
  EXPECT_EQ(default_processor("application/problem+JSON; charset=utf-8"), BodyProcessor::json);
  EXPECT_EQ(default_processor("text/xml"), BodyProcessor::xml);
  EXPECT_EQ(default_processor("image/svg+xml;x"), BodyProcessor::xml);
  EXPECT_EQ(default_processor("text/plain; +json"), BodyProcessor::none);
  EXPECT_EQ(default_processor("+json"), BodyProcessor::none);
  EXPECT_EQ(default_processor(" multipart/form-data"), BodyProcessor::none);
  EXPECT_EQ(default_processor(""), BodyProcessor::none);
}

}  // namespace
}  // namespace gatehouse::waf
