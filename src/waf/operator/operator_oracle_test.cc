// Operators against libmodsecurity: all pairs of arguments and values, named and random.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <random>
#include <string>

#include "waf/modsecurity_test_peer.h"
#include "waf/operator/injection.h"
#include "waf/operator/operator.h"
#include "waf/operator/phrases.h"
#include "waf/operator/regex.h"
#include "waf/transform/transform_test_values.h"

extern "C" int libinjection_sqli(const char* input, std::size_t size, char fingerprint[]);

namespace gatehouse::waf {
namespace {

struct Textual {
  const char* name;
  OperatorKind kind;
};

const Textual kComparisons[] = {
    {"beginsWith", OperatorKind::begins_with},
    {"contains", OperatorKind::contains},
    {"containsWord", OperatorKind::contains_word},
    {"endsWith", OperatorKind::ends_with},
    {"streq", OperatorKind::str_eq},
    {"strmatch", OperatorKind::str_match},
    {"within", OperatorKind::within},
};
const Textual kNumeric[] = {
    {"eq", OperatorKind::eq}, {"ge", OperatorKind::ge}, {"gt", OperatorKind::gt},
    {"le", OperatorKind::le}, {"lt", OperatorKind::lt},
};

TEST(OperatorOracle, Comparisons) {
  const std::string arguments[] = {"a", "ab", "union", "a b", "a.b", "aa", "GET POST HEAD", ".pdf", "1"};
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  for (const Textual& tested : kComparisons) {
    for (const std::string& argument : arguments) {
      ModSecurityOperator peer(tested.name, argument);
      ASSERT_EQ(peer.error(), "");
      std::vector<std::string> values{"",        "a",      "A",         "ab",      "aab",    "xab",
                                      "abx",     "union",  "a union b", "reunion", "unions", "union select",
                                      "1union1", "_union", "GET",       "POST ",   "HEAD",   "T P",
                                      "get",     "x.pdf",  ".pdf",      "a\0b"s,   "\0"s,    "a.b",
                                      "ab\0"s,   "\0ab"s,  "aaa",       "1",       "11"};
      for (int i = 0; i < 200; ++i) {
        std::string value;
        for (std::size_t n = random() % 5; n > 0; --n) {
          constexpr const char* kParts[] = {"a", "b", " ", ".", "union", "ab", "GET", "POST", ".pdf", "1", "_", "aa"};
          value += kParts[random() % std::size(kParts)];
        }
        values.push_back(value);
      }
      for (const std::string& value : values) {
        EXPECT_EQ(match_textual(tested.kind, argument, value).has_value(), peer.matches(value))
            << "@" << tested.name << " " << argument << " of `" << value << "`, seed " << seed;
      }
    }
  }
}

// @eq of libmodsecurity reads an `int`, and 0 when the number does not fit; the others read a `long long`. Ours all
// read the latter, so that a length past 4 GiB does not equal none. Numbers here that do not fit are left to
// operator_test.cc.
TEST(OperatorOracle, Numbers) {
  const std::string numbers[] = {"0", "1", "-1", "+1", "007", "42", "2147483647", "-2147483648", "1.9", "1e3", "0x10"};
  const std::string texts[] = {"",
                               " ",
                               "abc",
                               " 1",
                               "\t1",
                               "\v\f\r\n1",
                               "1 ",
                               "1abc",
                               "--1",
                               "+-1",
                               "- 1",
                               "+",
                               "-",
                               "\0"
                               "1"s,
                               "1\0"
                               "2"s,
                               "99999999999",
                               "-99999999999",
                               "9223372036854775808",
                               "1,000"};
  for (const Textual& tested : kNumeric) {
    for (const std::string& argument : numbers) {
      ModSecurityOperator peer(tested.name, argument);
      ASSERT_EQ(peer.error(), "");
      const auto compare = [&](const std::string& value) {
        if (tested.kind == OperatorKind::eq && number_of(value) != static_cast<int>(number_of(value))) return;
        EXPECT_EQ(match_textual(tested.kind, argument, value).has_value(), peer.matches(value))
            << "@" << tested.name << " " << argument << " of `" << value << "`";
      };
      for (const std::string& value : numbers) compare(value);
      for (const std::string& value : texts) compare(value);
    }
  }
}

TEST(OperatorOracle, Encodings) {
  ModSecurityOperator url("validateUrlEncoding", ""), utf8("validateUtf8Encoding", "");
  ASSERT_EQ(url.error() + utf8.error(), "");
  const unsigned seed = 20261122;
  std::mt19937 random(seed);
  std::vector<std::string> values(std::begin(kHostileValues), std::end(kHostileValues));
  for (int i = 0; i < 4000; ++i) {
    std::string value;
    for (std::size_t n = random() % 8; n > 0; --n) {
      constexpr const char* kParts[] = {"%",    "a",        "F",        "0",    "\xc3", "\xa9", "\xe2\x82",
                                        "\xac", "\xf0\x9f", "\x98\x80", "\xed", "\xa0", "\xf4", "\x90",
                                        "\xf5", "\xc0",     "\xe0\x80", "\xff", "x"};
      value += kParts[random() % std::size(kParts)];
    }
    values.push_back(value);
  }
  for (const std::string& value : values) {
    EXPECT_EQ(validate_url_encoding(value).has_value(), url.matches(value)) << value;
    // U+110000 to U+13FFFF: libmodsecurity looks at the first byte alone, RFC 3629 §3 ends at U+10FFFF.
    const auto too_large = [&](std::size_t at) {
      return value[at] == '\xf4' && at + 1 < value.size() && static_cast<std::uint8_t>(value[at + 1]) >= 0x90;
    };
    const auto ours = validate_utf8_encoding(value);
    if (ours && too_large(ours->offset)) continue;
    EXPECT_EQ(ours.has_value(), utf8.matches(value)) << value << ", seed " << seed;
  }
}

TEST(OperatorOracle, ByteRanges) {
  for (const char* ranges :
       {"1-255", "32-126", "9,10,13,32-126,128-255", "0", "65", "38,44-46,48-58,61,65-90,95,97-122"}) {
    ModSecurityOperator peer("validateByteRange", ranges);
    ASSERT_EQ(peer.error(), "");
    const auto allowed = parse_byte_ranges(ranges);
    ASSERT_TRUE(allowed);
    for (const std::string& value : kHostileValues) {
      EXPECT_EQ(validate_byte_range(*allowed, value).has_value(), peer.matches(value)) << ranges << " of " << value;
    }
    for (unsigned byte = 0; byte < 256; ++byte) {
      const std::string value(1, static_cast<char>(byte));
      EXPECT_EQ(validate_byte_range(*allowed, value).has_value(), peer.matches(value)) << ranges << " of " << byte;
    }
  }
}

TEST(OperatorOracle, Networks) {
  const char* const lists[] = {"127.0.0.1,::1",
                               "10.0.0.0/8",
                               "10.1.2.3/8",
                               "10.1.2.3/31,192.0.2.0/24",
                               "0.0.0.0/1",
                               "2001:db8::/32",
                               "2001:db8::1/127,10.0.0.0/30",
                               "fe80::/10"};
  const char* const values[] = {"127.0.0.1",   "::1",
                                "10.0.0.0",    "10.255.255.255",
                                "11.0.0.0",    "10.1.2.2",
                                "10.1.2.4",    "192.0.2.255",
                                "192.0.3.0",   "127.255.255.255",
                                "128.0.0.0",   "2001:db8::",
                                "2001:db8::1", "2001:db9::",
                                "fe80::1",     "febf::1",
                                "fec0::1",     "10.0.0.3",
                                "10.0.0.4",    "",
                                "x",           "10.0.0",
                                "300.1.1.1",   "::g"};
  for (const char* list : lists) {
    ModSecurityOperator peer("ipMatch", list);
    ASSERT_EQ(peer.error(), "");
    const auto parsed = IpList::parse(list);
    ASSERT_TRUE(parsed);
    for (const char* value : values) EXPECT_EQ(parsed->matches(value), peer.matches(value)) << list << " of " << value;
  }
}

TEST(OperatorOracle, Injections) {
  ModSecurityOperator sqli("detectSQLi", ""), xss("detectXSS", "");
  ASSERT_EQ(sqli.error() + xss.error(), "");
  std::vector<std::string> values(std::begin(kHostileValues), std::end(kHostileValues));
  for (const char* value : {"1' OR '1'='1", "1 union select 1", "a;drop table b--", "<script>", "<a href=javascript:x>",
                            "<img onerror=x>", "' onload='x", "it's", "1=1"}) {
    values.push_back(value);
  }
  for (const std::string& value : values) {
    const auto fingerprint = detect_sqli(value);
    const auto [matched, captures] = sqli.match(value);
    EXPECT_EQ(fingerprint.has_value(), matched) << value;
    if (fingerprint && captures[0]) {
      EXPECT_EQ(fingerprint->view(), *captures[0]);
    }
    EXPECT_EQ(detect_xss(value), xss.matches(value)) << value;
  }
}

// Ours puts a memory in front of its look-up of words. What it says must not depend on what was asked before.
TEST(OperatorOracle, InjectionsOfManyWords) {
  const std::string_view pieces[] = {"'",
                                     "\"",
                                     " or ",
                                     " AND ",
                                     "1",
                                     "=",
                                     "(",
                                     ")",
                                     "--",
                                     "#",
                                     "/*",
                                     "*/",
                                     "union ",
                                     "select ",
                                     "a",
                                     "sleep(",
                                     "0x1f",
                                     ",",
                                     ";",
                                     "`",
                                     "@@v",
                                     "\\",
                                     "group by",
                                     "not ",
                                     "in (",
                                     "like ",
                                     "null",
                                     "!!",
                                     "~",
                                     "||",
                                     "xyzw",
                                     "!=",
                                     "<=>",
                                     "\xa0",
                                     "{d ",
                                     "\n",
                                     "current_timestamp",
                                     "%00"};
  std::mt19937_64 random(7);
  SqliMemo memo;
  std::size_t attacks = 0;
  for (int i = 0; i < 30'000; ++i) {
    std::string value;
    for (std::size_t count = 1 + random() % 24; count > 0; --count) value += pieces[random() % std::size(pieces)];
    char fingerprint[8] = {};
    const bool is_attack = libinjection_sqli(value.data(), value.size(), fingerprint) == 1;
    attacks += is_attack;
    for (int turn = 0; turn < 2; ++turn) {
      const auto found = memo.detect(value);
      ASSERT_EQ(found.has_value(), is_attack) << value;
      if (found) {
        ASSERT_EQ(found->view(), fingerprint) << value;
      }
    }
    if (i % 100 == 0) memo.forget();
  }
  EXPECT_GT(attacks, 1000U);
  EXPECT_LT(attacks, 29'000U);
}

TEST(OperatorOracle, Phrases) {
  const std::vector<std::string> phrases{"select", "union", "/etc/", "etc/passwd", "sel", "<?"};
  ModSecurityOperator peer("pm", "select union /etc/ etc/passwd sel <?");
  ASSERT_EQ(peer.error(), "");
  const auto set = PhraseSet::compile(phrases);
  ASSERT_TRUE(set);
  std::vector<std::string> values(std::begin(kHostileValues), std::end(kHostileValues));
  for (const char* value :
       {"SELECT 1", "un ion", "reunions", "/etc/passwd", "/ETC\\passwd", "xsel", "<?php", "selec"}) {
    values.push_back(value);
  }
  for (const std::string& value : values) EXPECT_EQ(set->find(value).has_value(), peer.matches(value)) << value;
}

TEST(OperatorOracle, RegularExpressions) {
  const char* const patterns[] = {"a(b)?(c)",
                                  "^a.c$",
                                  "(?i)SELECT\\s+(\\w+)",
                                  "[^\\x00-\\x7f]",
                                  "x*",
                                  "(a)|(b)|(c)",
                                  "\\bunion\\b",
                                  "(?:\\.\\./)+",
                                  "(1)(2)(3)(4)(5)(6)(7)(8)(9)(0)(1)",
                                  "%[0-9a-f]{2}",
                                  "$",
                                  "\\x00"};
  std::vector<std::string> values(std::begin(kHostileValues), std::end(kHostileValues));
  for (const char* value :
       {"abc", "ac", "a\nc", "x\nabc\ny", "select  name", "b", "c", "a union b", "../../x", "12345678901"}) {
    values.push_back(value);
  }
  for (const char* pattern : patterns) {
    ModSecurityOperator peer("rx", pattern);
    ASSERT_EQ(peer.error(), "");
    const auto regex = Regex::compile(pattern);
    ASSERT_TRUE(regex);
    for (const std::string& value : values) {
      Captures captures;
      const auto [matched, expected] = peer.match(value);
      ASSERT_EQ(regex->match(value, &captures) == Regex::Outcome::match, matched) << pattern << " of " << value;
      for (std::size_t i = 0; matched && i < kCapturesMax; ++i) {
        const auto ours =
            captures[i] ? std::optional(value.substr(captures[i]->offset, captures[i]->size)) : std::nullopt;
        EXPECT_EQ(ours, expected[i]) << pattern << " of " << value << ", group " << i;
      }
    }
  }
}

}  // namespace
}  // namespace gatehouse::waf
