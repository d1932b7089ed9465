#include "waf/body/json_body.h"

#include <gtest/gtest.h>

#include <random>

#include "waf/modsecurity_test_peer.h"

namespace gatehouse::waf {
namespace {

using namespace std::literals;

std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string describe(const Body& body) {
  std::string out;
  for (const NameValue& a : body.arguments) out += std::string(a.name) + "=" + std::string(a.value) + " ";
  if (body.error != BodyError::none) out += "! "s + body.message + " @" + std::to_string(body.error_offset);
  return out;
}

struct Case {
  const char* name;
  std::string text, expected;
};

const Case kCases[] = {
    {"nothing", "", ""},
    {"a member", R"({"a":1})", "json.a=1 "},
    {"objects inside", R"({"a":{"b":"x"},"c":2})", "json.a.b=x json.c=2 "},
    {"an array", R"({"a":[1,"x",{"c":3}]})", "json.a.array_0=1 json.a.array_1=x json.a.array_2.c=3 "},
    {"an array alone", R"([1,[2,3],{"a":4},5])",
     "json.array_0=1 json.array_1.array_0=2 json.array_1.array_1=3 json.array_2.a=4 json.array_3=5 "},
    {"literals", "[null,true,false]", "json.array_0= json.array_1=true json.array_2=false "},
    {"numbers as written", "[1.50e+3,-0,123456789012345678901234567890,1E5]",
     "json.array_0=1.50e+3 json.array_1=-0 json.array_2=123456789012345678901234567890 json.array_3=1E5 "},
    {"one name twice", R"({"a":1,"a":2})", "json.a=1 json.a=2 "},
    {"a string alone", R"("s")", "json=s "},
    {"a number alone", "1", "json=1 "},
    {"null alone", "null", "json= "},
    {"an empty object", "{}", ""},
    {"an empty array", "[]", ""},
    {"empty ones inside", R"({"a":{},"b":[],"c":1})", "json.c=1 "},
    {"a member without a name", R"({"":1})", "json.empty-key=1 "},
    {"a dot in a name", R"({"a.b":1})", "json.a.b=1 "},
    {"an escape in a name", R"({"a\u0041":1})", "json.aA=1 "},
    {"white space", " \r\n\t{ \"a\" : [ 1 , 2 ] } \n", "json.a.array_0=1 json.a.array_1=2 "},
    {"escapes", R"(["\"\\\/\b\f\n\r\tx"])", "json.array_0=\"\\/\b\f\n\r\tx "},
    {"code points", R"(["\u0041\u00e9\u20ac\ud83d\ude00"])", "json.array_0=A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80 "},
    {"NUL", R"(["\u0000x"])", "json.array_0=\0x "s},
    {"UTF-8", "[\"\xc3\xa9\xf0\x9f\x98\x80\"]", "json.array_0=\xc3\xa9\xf0\x9f\x98\x80 "},
    {"a high surrogate alone", R"(["\ud83dx"])", "json.array_0=?x "},
    {"invalid UTF-8", "[1,\"\xff\"]", "json.array_0=1 ! invalid UTF-8 in JSON @4"},
    {"half a sequence", "[\"\xc3\"]", "! invalid UTF-8 in JSON @2"},
    {"bytes behind", R"({"a":1}x)", "json.a=1 ! bytes behind the JSON value @7"},
    {"a second value", R"({"a":1}{"b":2})", "json.a=1 ! bytes behind the JSON value @7"},
    {"half a string behind", "[1]\"x", "json.array_0=1 ! bytes behind the JSON value @3"},
    {"NUL behind", "[1]\0"s, "json.array_0=1 ! bytes behind the JSON value @3"},
    {"a closing comma", "[1,]", "json.array_0=1 ! no JSON value @3"},
    {"a closing comma in an object", R"({"a":1,})", "json.a=1 ! member name missing in JSON @7"},
    {"a bare name", "{a:1}", "! member name missing in JSON @1"},
    {"single quotes", "['a']", "! no JSON value @1"},
    {"a leading zero", "[01]", "json.array_0=0 ! comma or closing bracket missing in JSON @2"},
    {"no fraction", "[1.]", "! malformed number in JSON @3"},
    {"no integer", "[.5]", "! no JSON value @1"},
    {"no exponent", "[1e]", "! malformed number in JSON @3"},
    {"only a sign", "[-]", "! malformed number in JSON @2"},
    {"a plus", "[+1]", "! no JSON value @1"},
    {"NaN", "[NaN]", "! no JSON value @1"},
    {"a literal in capitals", "[True]", "! no JSON value @1"},
    {"half a literal", "[tru", "! no JSON value @1"},
    {"a comment", "/* */[1]", "! no JSON value @0"},
    {"a comment behind", "[1]//", "json.array_0=1 ! bytes behind the JSON value @3"},
    {"a byte order mark", "\xef\xbb\xbf[1]", "! no JSON value @0"},
    {"white space alone", " ", "! no JSON value @1"},
    {"an open object", R"({"a":1)", "json.a=1 ! comma or closing bracket missing in JSON @6"},
    {"an open string", R"({"a":"x)", "! unclosed string in JSON @7"},
    {"the wrong bracket", "[1}", "json.array_0=1 ! comma or closing bracket missing in JSON @2"},
    {"no colon", R"({"a" 1})", "! colon missing in JSON @5"},
    {"no comma", "[1 2]", "json.array_0=1 ! comma or closing bracket missing in JSON @3"},
    {"a tab in a string", "[\"a\tb\"]", "! control character in a JSON string @3"},
    {"NUL in a string", "[\"a\0b\"]"s, "! control character in a JSON string @3"},
    {"an unknown escape", R"(["\x"])", "! invalid escape in JSON @2"},
    {"half an escape", R"(["\u00)", "! invalid escape in JSON @2"},
    {"an escape that is no number", R"(["\u00g0"])", "! invalid escape in JSON @2"},
    {"a sign in an escape", R"(["\u-001"])", "! invalid escape in JSON @2"},
};

// Where ours is right or stricter: (1) and (2) in the header.
const Case kDifferent[] = {
    {"what follows half a pair is read", R"(["\ud83d\u0041"])", "json.array_0=?A "},
    {"a low surrogate alone", R"(["\ude00"])", "json.array_0=? "},
    {"overlong", "[\"\xc0\xaf\"]", "! invalid UTF-8 in JSON @2"},
    {"overlong in three bytes", "[\"\xe0\x80\xaf\"]", "! invalid UTF-8 in JSON @2"},
    {"a surrogate in UTF-8", "[\"\xed\xa0\x80\"]", "! invalid UTF-8 in JSON @2"},
    {"beyond Unicode", "[\"\xf4\x90\x80\x80\"]", "! invalid UTF-8 in JSON @2"},
};

TEST(JsonBody, NamedCases) {
  const auto check = [](const Case& c) {
    Arena arena;
    Body body;
    read_json_body(c.text, {}, arena, body);
    EXPECT_EQ(describe(body), c.expected) << c.name;
  };
  for (const Case& c : kCases) check(c);
  for (const Case& c : kDifferent) check(c);
}

bool agrees_with_modsecurity(const std::string& text) {
  Arena arena;
  Body body;
  read_json_body(text, {}, arena, body);
  const auto theirs =
      modsecurity_bodies().read({.content_type = "application/json", .body = text, .processor = "JSON"});
  if (body.message == "bytes behind the JSON value"sv)
    return pairs_of(body.arguments) == pairs_of(theirs->m_variableArgs);
  return pairs_of(body.arguments) == pairs_of(theirs->m_variableArgs) &&
         (body.error != BodyError::none) == (theirs->m_variableReqbodyError.m_value == "1");
}

// Values too, also those in front of an error. (3) alone is let through.
TEST(JsonBody, AgreesWithModSecurity) {
  for (const Case& c : kCases) EXPECT_TRUE(agrees_with_modsecurity(c.text)) << c.name;
  for (const Case& c : kDifferent)
    EXPECT_FALSE(agrees_with_modsecurity(c.text)) << c.name << ": no longer a difference";
  std::mt19937 random(20261122);
  const std::string_view pieces[] = {"{",      "}",         "[",  "]",   ",",       ":",   "\"",       "\"a\"",
                                     "\"b\":", "1",         "-2", "3.5", "1e5",     " ",   "\n",       "true",
                                     "false",  "null",      "x",  "\\",  "\\u0041", "\\n", "\xc3\xa9", "\xff",
                                     "\"\":",  "\"x\\ty\"", "[]", "{}",  ",",       "]"};
  for (int round = 0; round < 20000; ++round) {
    std::string text = R"({"a":[1,{"b":"x","c":[true,null]},"y"],"d":{"e":-1.5},"":[[2],[]]})";
    for (std::size_t edits = random() % 4; edits > 0; --edits) {
      const std::string_view piece = pieces[random() % std::size(pieces)];
      text.replace(random() % text.size(), random() % 3 == 0 ? random() % 6 : 0, piece);
    }
    ASSERT_TRUE(agrees_with_modsecurity(text)) << text;
  }
}

// Names that no argument has, in front of what is unread.
TEST(JsonBody, TellsTheNameUnderWay) {
  const std::pair<const char*, const char*> cases[] = {
      {R"({"a\u0041)", ""},
      {R"({"a\u0041")", "json.aA"},
      {R"({"a": y)", "json.a"},
      {R"({"a": 1, "b": [{"c":)", "json.b.array_0.c"},
      {R"({"a": 1 y)", ""},
      {R"({"a": [1, y)", ""},
      {R"({"a": {"b": 1}, "c" y)", "json.c"},
      {R"([[y)", ""},
      {R"({"a": 1})", ""},
  };
  for (const auto& [text, name] : cases) {
    Arena arena;
    Body body;
    read_json_body(text, {}, arena, body);
    EXPECT_EQ(body.unread_name, name) << text;
  }
}

TEST(JsonBody, LimitsAreFlagged) {
  struct LimitCase {
    const char* name;
    BodyLimits limits;
    std::string text;
    BodyError error;
    std::size_t arguments;
  };
  const LimitCase cases[] = {
      {"depth", {.depth_max = 3}, "[[[1]]]", BodyError::none, 1},
      {"too deep", {.depth_max = 3}, "[1,[[[2]]]]", BodyError::too_deep, 1},
      {"arguments", {.arguments_max = 2}, "[1,2]", BodyError::none, 2},
      {"too many", {.arguments_max = 2}, "[1,2,3]", BodyError::too_many_arguments, 2},
      {"names", {.decoded_bytes_max = 24}, "[1,2]", BodyError::none, 2},
      {"names too long", {.decoded_bytes_max = 23}, "[1,2]", BodyError::too_large, 1},
      {"10,000 deep", {}, repeated("[", 10000) + repeated("]", 10000), BodyError::too_deep, 0},
      {"a million deep",
       {.depth_max = 2'000'000, .decoded_bytes_max = 64 << 20},
       repeated("[", 1'000'000) + "1" + repeated("]", 1'000'000),
       BodyError::none,
       1},
      {"a long path to many",
       {},
       "{\"" + repeated("x", 500'000) + "\":[" + repeated("1,", 100'000) + "1]}",
       BodyError::too_large,
       33},
      {"a long path to a thousand",  // 32 MB of names from 34 KB
       {},
       "{\"" + repeated("x", 32'000) + "\":[" + repeated("1,", 999) + "1]}",
       BodyError::too_large,
       34},
      {"a matrix of digits",
       {},
       R"({"data":{"matrix":[)" + repeated("[" + repeated("1,", 99) + "1],", 99) + "[" + repeated("1,", 99) + "1]]}}",
       BodyError::none,
       10'000},
  };
  for (const LimitCase& c : cases) {
    Arena arena;
    Body body;
    read_json_body(c.text, c.limits, arena, body);
    EXPECT_EQ(body.error, c.error) << c.name;
    EXPECT_EQ(body.arguments.size(), c.arguments) << c.name;
  }
}

}  // namespace
}  // namespace gatehouse::waf
