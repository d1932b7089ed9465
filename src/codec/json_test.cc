#include "codec/json.h"

#include <gtest/gtest.h>

namespace gatehouse::codec {
namespace {

using namespace std::string_literals;

TEST(Json, AcceptedAndRefused) {
  struct Case {
    const char* name;
    std::string text;
    bool accepted;
  };
  const Case cases[] = {
      {"object", R"({"a":1,"b":[true,null,"x"]})", true},
      {"scalar at the top", "1", true},
      {"white space around", " {} \n", true},
      {"escapes", R"("\u00e9\n\ud83d\ude00")", true},
      {"same name in different objects", R"({"a":{"a":1}})", true},
      {"empty", "", false},
      {"duplicate names", R"({"a":1,"a":2})", false},
      {"duplicate names, one escaped", R"({"a":1,"\u0061":2})", false},
      {"bytes after the value", "{} {}", false},
      {"trailing comma", "[1,]", false},
      {"comment", "/* x */ {}", false},
      {"single quotes", "{'a':1}", false},
      {"invalid UTF-8", "\"\xc0\xaf\"", false},
      {"lone surrogate", R"("\ud800")", false},
      {"control byte in a string", "\"\x01\"", false},
      {"NUL after the value", "{}\0"s, false},
      {"byte order mark", "\xef\xbb\xbf{}", false},
      {"overflowing number", "1e999", false},
      {"integer beyond 64 bits", "18446744073709551615", false},
      {"leading zero", "01", false},
      {"NaN", "NaN", false},
      {"unterminated", R"({"a":)", false},
  };
  for (const Case& c : cases) EXPECT_EQ(Json::parse(c.text).has_value(), c.accepted) << c.name;
}

TEST(Json, DuplicatesAmongManyMembers) {
  std::string text = "{";
  for (int i = 0; i < 50'000; ++i) text += "\"m" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  const JsonLimits limits{.bytes_max = 4 << 20, .depth_max = 4, .values_max = 1 << 20};
  EXPECT_TRUE(Json::parse(text + "\"last\":1}", limits));
  EXPECT_FALSE(Json::parse(text + "\"m7\":1}", limits));
}

TEST(Json, MadeOfParts) {
  const Json made = Json::object({"a", "b"}, {Json::array({Json::of(std::int64_t{1}), Json::of(0.5)}), Json::of(true)});
  EXPECT_EQ(made.find("a")->value(1).number(), 0.5);
  EXPECT_EQ(made.find("b")->boolean(), true);
  EXPECT_EQ(Json::of(std::string("x")).string(), "x");
}

TEST(Json, Limits) {
  const JsonLimits limits{.bytes_max = 64, .depth_max = 3, .values_max = 8};
  EXPECT_TRUE(Json::parse("[[[]]]", limits));
  EXPECT_FALSE(Json::parse("[[[[]]]]", limits)) << "depth";
  EXPECT_TRUE(Json::parse("[1,2,3,4,5,6,7]", limits));
  EXPECT_FALSE(Json::parse("[1,2,3,4,5,6,7,8]", limits)) << "values";
  EXPECT_FALSE(Json::parse(std::string(65, ' ') + "1", limits)) << "bytes";
  EXPECT_FALSE(Json::parse(std::string(100'000, '['), {.bytes_max = 1 << 20})) << "deep nesting costs no stack";
}

TEST(Json, Values) {
  const auto json = Json::parse(R"({"s":"x","i":-3,"d":1.5,"t":true,"n":null,"l":["a",1],"big":1750000000})");
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find_string("s"), "x");
  EXPECT_EQ(json->find_string("i"), std::nullopt);
  EXPECT_EQ(json->find("i")->integer(), -3);
  EXPECT_EQ(json->find("d")->integer(), std::nullopt);
  EXPECT_EQ(json->find("d")->number(), 1.5);
  EXPECT_EQ(json->find("big")->number(), 1.75e9);
  EXPECT_EQ(json->find("t")->boolean(), true);
  EXPECT_EQ(json->find("n")->kind(), Json::Kind::null);
  EXPECT_EQ(json->find("l")->items().size(), 2U);
  EXPECT_EQ(json->find("absent"), nullptr);
  EXPECT_EQ(json->name(1), "i");
}

}  // namespace
}  // namespace gatehouse::codec
