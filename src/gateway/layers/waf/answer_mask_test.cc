#include "gateway/layers/waf/answer_mask.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "telemetry/mask.h"

namespace gatehouse::gateway {
namespace {

constexpr AnswerMask::What kAll{.cards = true, .keys = true},
    kJson{.cards = true, .keys = true, .syntax = AnswerMask::Syntax::json},
    kScript{.cards = true, .keys = true, .syntax = AnswerMask::Syntax::script};

std::string masked(AnswerMask::What what, std::string_view text, std::size_t step = std::string_view::npos) {
  AnswerMask mask(what);
  std::string out;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, step);
    text.remove_prefix(piece.size());
    mask.mask(piece, http::End::no, out);
  }
  mask.mask({}, http::End::yes, out);
  return out;
}

// What only looks like a secret is put together here, so that scanners of source code do not take it for one.
const std::string kWord16 = "ABCDEFGH23456789", kWord36 = "abcdefghijklmnopqrstuvwxyz0123456789";
const std::string kJwt = "eyJhbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl";
std::string pem(std::string_view label, std::string_view line_end = "\n") {
  std::string text = "-----BEGIN " + std::string(label) + "-----";
  for (int i = 0; i < 3; ++i) text.append(line_end).append("MIIEvQIBADANBgkq/+==");
  return text.append(line_end).append("-----END " + std::string(label) + "-----");
}
std::string stars(std::size_t count) { return std::string(count, '*'); }

struct Case {
  const char* name;
  std::string text, expected;
  AnswerMask::What what = kAll;
};

std::vector<Case> cases() {
  std::vector<Case> all{
      {"a card", "card 4111111111111111.", "card ************1111."},
      {"in groups", "4111 1111 1111 1111 12/27", "**** **** **** 1111 12/27"},
      {"dashes", "<td>5500-0000-0000-0004</td>", "<td>****-****-****-0004</td>"},
      {"of 15 digits", "3782 822463 10005", "**** ****** *0005"},
      {"of 13 digits", "4222222222222", "*********2222"},
      {"side by side", "4111111111111111,4012888888881881", "************1111,************1881"},
      {"a sentence's end", "It is 4111111111111111. 7 others", "It is ************1111. 7 others"},
      {"wrong by one", "4111111111111112", "4111111111111112"},
      {"too long", "41111111111111111111", "41111111111111111111"},
      {"in a longer number", "94111111111111111", "94111111111111111"},
      {"in a word", "x4111111111111111 4111111111111111x", "x4111111111111111 4111111111111111x"},
      {"a fraction", "0.4111111111111111 4111111111111111.5", "0.4111111111111111 4111111111111111.5"},
      {"small numbers", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"},
      {"times", "1764358957123 2026-11-28 19:00", "1764358957123 2026-11-28 19:00"},
      {"only keys", "4111111111111111", "4111111111111111", {.keys = true}},
      {"JSON, a string", R"({"c":"4111111111111111"})", R"({"c":"************1111"})", kJson},
      {"JSON, a number", R"({"c":4111111111111111,"d":1})", R"({"c":4000000000001111,"d":1})", kJson},
      {"JSON, a number after strings", R"({"a\"":"b\\","c":4111111111111111})", R"({"a\"":"b\\","c":4000000000001111})",
       kJson},
      {"JSON, behind an escape", R"(["\n4111111111111111"])", R"(["\n************1111"])", kJson},
      {"JSON, digits of an escape", R"(["\u520613812345678 \u00a04111111111111111"])",
       R"(["\u520613812345678 \u00a0************1111"])", kJson},
      {"JSON, a token behind an escape", R"({"u":"token\u003dghp_)" + kWord36 + R"("})",
       R"({"u":"token\u003dghp_)" + stars(36) + R"("})", kJson},
      {"JSON, escapes in a key", R"({"k":"-----BEGIN PRIVATE KEY-----\nMII\u002Babc=","b":100})",
       R"({"k":"-----BEGIN PRIVATE KEY-----\n***\u002B****","b":100})", kJson},
      {"a script", "let a=4111111111111111,b='4111111111111111',c=`4012888888881881`;",
       "let a=4000000000001111,b='************1111',c=`************1881`;", kScript},
      {"a script, escapes", R"(a="\"\x3a4111111111111111", b=[4111111111111111])",
       R"(a="\"\x3a************1111", b=[4000000000001111])", kScript},
      {"a script, an apostrophe in a comment", "// don't\nf(4111111111111111) // 'tis\nf(4111111111111111)",
       "// don't\nf(4000000000001111) // 'tis\nf(4000000000001111)", kScript},
      {"a script, groups", "// 4111 1111 1111 1111", "// **** **** **** 1111", kScript},
      {"events",
       "data: {\"c\":4111111111111111,\"s\":\"4111111111111111\"}\ndata: 4111111111111111\n\ndata: a \"b\ndata: "
       "[4111111111111111]\n",
       "data: {\"c\":4000000000001111,\"s\":\"************1111\"}\ndata: 4000000000001111\n\ndata: a \"b\ndata: "
       "[4000000000001111]\n",
       kScript},
      {"Amazon", "id=AKIA" + kWord16 + ";", "id=AKIA" + stars(16) + ";"},
      {"no Amazon", "AKIA" + kWord16 + "A AKIA123 xAKIA" + kWord16, "AKIA" + kWord16 + "A AKIA123 xAKIA" + kWord16},
      {"GitHub", "'ghp_" + kWord36 + "'", "'ghp_" + stars(36) + "'"},
      {"a longer one", "ghs_" + kWord36 + kWord36 + " x", "ghs_" + stars(72) + " x"},
      {"fine-grained", "github_pat_" + kWord36, "github_pat_" + stars(36)},
      {"too short", "ghp_abc github_ AIza ghp_", "ghp_abc github_ AIza ghp_"},
      {"a token", "Bearer " + kJwt + "\n", "Bearer eyJ" + stars(kJwt.size() - 3) + "\n"},
      {"no token", "eyJhbGciOiJI.x eyJhbGciOiJI eyJ.eyJ " + std::string("eyJ") + std::string(2000, 'a'),
       "eyJhbGciOiJI.x eyJhbGciOiJI eyJ.eyJ " + std::string("eyJ") + std::string(2000, 'a')},
      {"only cards", kJwt, kJwt, {.cards = true}},
      {"a certificate", pem("CERTIFICATE"), pem("CERTIFICATE")},
      {"a key between tags",
       "<p>-----BEGIN PRIVATE KEY-----<br />\nMIIE<br />\nabcd<br />\n-----END PRIVATE KEY-----</p> fine",
       "<p>-----BEGIN PRIVATE KEY-----<br />\n****<br />\n****<br />\n-----END PRIVATE KEY-----</p> fine"},
      {"a key in a program", "'-----BEGIN PRIVATE KEY-----\\n' .\n 'MIIE' . 'abcd';",
       "'-----BEGIN PRIVATE KEY-----\\n' .\n '****' . '****';"},
      {"what only speaks of keys", "<code>-----BEGIN PRIVATE KEY-----</code> stands before it",
       "<code>-----BEGIN PRIVATE KEY-----</code> ****** before it"},
      {"a rule", "-------- -----BEGIN -----", "-------- -----BEGIN -----"},
      {"bytes", std::string("\xff\0\x80 4111111111111111\xff", 21), std::string("\xff\0\x80 ************1111\xff", 21)},
      {"empty", "", ""},
  };
  for (const char* label : {"PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY"}) {
    for (const char* end : {"\n", "\r\n"}) {
      std::string expected = pem(label, end);
      const std::string line = "MIIEvQIBADANBgkq/+==";
      for (std::size_t at; (at = expected.find(line)) != std::string::npos;)
        expected.replace(at, line.size(), stars(line.size()));
      all.push_back({label, "a " + pem(label, end) + " b", "a " + expected + " b"});
    }
  }
  std::string key = R"({"key":")" + pem("PRIVATE KEY", "\\n") + R"(","c":4111111111111111})", expected = key;
  for (std::size_t at; (at = expected.find("MIIEvQIBADANBgkq/+==")) != std::string::npos;)
    expected.replace(at, 20, stars(20));
  expected.replace(expected.find("4111111111111111"), 16, "4000000000001111");
  all.push_back({"JSON, a key", key, expected, kJson});
  return all;
}

TEST(AnswerMask, Table) {
  for (const Case& c : cases()) EXPECT_EQ(masked(c.what, c.text), c.expected) << c.name;
}

TEST(AnswerMask, HoweverItIsCut) {
  for (const Case& c : cases()) {
    for (const std::size_t step : {1u, 2u, 3u, 5u, 7u, 16u, 33u, 64u})
      EXPECT_EQ(masked(c.what, c.text, step), c.expected) << c.name << ", by " << step;
    for (std::size_t at = 0; at <= c.text.size() && c.text.size() < 200; ++at) {
      AnswerMask mask(c.what);
      std::string out;
      mask.mask(std::string_view(c.text).substr(0, at), http::End::no, out);
      mask.mask(std::string_view(c.text).substr(at), http::End::yes, out);
      EXPECT_EQ(out, c.expected) << c.name << ", cut at " << at;
    }
  }
}

TEST(AnswerMask, Counts) {
  AnswerMask mask(kAll);
  std::string out;
  mask.mask("4111111111111111 and 4012888888881881 and " + kJwt + "\n" + pem("PRIVATE KEY"), http::End::yes, out);
  EXPECT_EQ(mask.cards(), 2u);
  EXPECT_EQ(mask.keys(), 2u);
}

// Pieces of secrets in any order, cut anywhere: always the same, always as long, and little is held back.
TEST(AnswerMask, RandomText) {
  const std::vector<std::string> pieces{"4111",     "1111", "41111111",
                                        "11111111", " ",    "-",
                                        ".",        "\"",   "\\",
                                        "eyJ",      "ghp_", "AKIA",
                                        kWord16,    "\n",   "-----",
                                        "BEGIN",    "x",    "<",
                                        kWord36,    kJwt,   pem("PRIVATE KEY"),
                                        "5500",     "{",    "\xe2\x82\xac",
                                        "_",        "'",    "\\x"};
  std::mt19937 random(20261128);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) text += pieces[random() % pieces.size()];
    const AnswerMask::What what{.cards = true, .keys = true, .syntax = static_cast<AnswerMask::Syntax>(round % 3)};
    const std::string whole = masked(what, text);
    ASSERT_EQ(whole.size(), text.size());
    AnswerMask mask(what);
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t step = 1 + random() % 9;
      mask.mask(std::string_view(text).substr(at, step), http::End::no, out);
      at = std::min(at + step, text.size());
      ASSERT_LE(at - out.size(), AnswerMask::kHeldBytesMax);
    }
    mask.mask({}, http::End::yes, out);
    ASSERT_EQ(out, whole) << text;
  }
}

TEST(AnswerMask, LinearInTheText) {
  for (const std::string_view unit :
       {"eyJaaaaaaaaa.", "eyJ-", "4 ", "411 ", "AKIA", "ghp_", "-----BEGIN ", "4111 1111 1111 1111 "}) {
    std::string text;
    while (text.size() < (4 << 20)) text += unit;
    const auto from = std::chrono::steady_clock::now();
    EXPECT_EQ(masked(kAll, text, 16 * 1024).size(), text.size());
    EXPECT_LT(std::chrono::steady_clock::now() - from, std::chrono::seconds(5)) << unit;  // some 0.1 s
  }
}

}  // namespace
}  // namespace gatehouse::gateway
