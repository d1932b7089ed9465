#include "codec/cbor.h"

#include <gtest/gtest.h>

namespace gatehouse::codec {
namespace {

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TEST(Cbor, IntegersOfTheStandard) {  // RFC 8949 appendix A
  const std::pair<const char*, std::int64_t> cases[] = {{"00", 0},
                                                        {"01", 1},
                                                        {"0a", 10},
                                                        {"17", 23},
                                                        {"1818", 24},
                                                        {"1864", 100},
                                                        {"1903e8", 1000},
                                                        {"1a000f4240", 1000000},
                                                        {"1b000000e8d4a51000", 1000000000000},
                                                        {"20", -1},
                                                        {"29", -10},
                                                        {"3863", -100},
                                                        {"3903e7", -1000},
                                                        {"1b7fffffffffffffff", INT64_MAX},
                                                        {"3b7fffffffffffffff", INT64_MIN}};
  for (const auto& [hex, value] : cases) {
    const auto parsed = Cbor::parse(from_hex(hex));
    ASSERT_TRUE(parsed) << hex;
    EXPECT_EQ(parsed->integer(), value) << hex;
  }
}

TEST(Cbor, OtherValuesOfTheStandard) {
  EXPECT_EQ(Cbor::parse(from_hex("f4"))->boolean(), false);
  EXPECT_EQ(Cbor::parse(from_hex("f5"))->boolean(), true);
  EXPECT_EQ(Cbor::parse(from_hex("f6"))->kind(), Cbor::Kind::null);
  EXPECT_EQ(Cbor::parse(from_hex("4401020304"))->bytes(), std::string_view("\x01\x02\x03\x04"));
  EXPECT_EQ(Cbor::parse(from_hex("62c3bc"))->text(), "\xc3\xbc");
  EXPECT_EQ(Cbor::parse(from_hex("8301820203820405"))->items()[1].items()[0].integer(), 2);
  const auto map = Cbor::parse(from_hex("a26161016162820203"));
  EXPECT_EQ(map->find("a")->integer(), 1);
  EXPECT_EQ(map->find("b")->items()[1].integer(), 3);
  EXPECT_EQ(map->find("c"), nullptr);
  EXPECT_EQ(map->find(1), nullptr);
  EXPECT_EQ(Cbor::parse(from_hex("a201020304"))->find(3)->integer(), 4);
  EXPECT_TRUE(Cbor::parse(from_hex("a203040102"))) << "any order";
}

TEST(Cbor, Refused) {
  const std::pair<const char*, std::string> cases[] = {
      {"nothing", ""},
      {"bytes behind it", "0000"},
      {"an integer longer than needed", "1817"},
      {"an integer in two bytes", "190017"},
      {"an integer in four bytes", "1a0000ffff"},
      {"an integer in eight bytes", "1b00000000ffffffff"},
      {"a length longer than needed", "580161"},
      {"above a signed integer", "1b8000000000000000"},
      {"below one", "3bffffffffffffffff"},
      {"indefinite bytes", "5f42010243030405ff"},
      {"an indefinite array", "9f01ff"},
      {"an indefinite map", "bf616101ff"},
      {"a break", "ff"},
      {"a tag", "c074323031332d30332d32315432303a30343a30305a"},
      {"half a float", "f93c00"},
      {"a float", "fa47c35000"},
      {"a double", "fb3ff199999999999a"},
      {"undefined", "f7"},
      {"a simple value", "f0"},
      {"a simple value in two bytes", "f818"},
      {"reserved", "1c"},
      {"a key twice", "a201020103"},
      {"a text key twice", "a2616101616102"},
      {"a key of bytes", "a1416101"},
      {"a key of an array", "a18001"},
      {"text that is no UTF-8", "61ff"},
      {"text with a surrogate", "63eda080"},
      {"a text that ends early", "6261"},
      {"four gigabytes announced", "5affffffff"},
      {"an array of a billion", "9a3b9aca00"},
      {"a map that ends early", "a101"},
      {"seven arrays deep",
       "81818181818181"
       "00"},
      {"a head that ends early", "19"},
  };
  for (const auto& [name, hex] : cases) EXPECT_FALSE(Cbor::parse(from_hex(hex))) << name;
  EXPECT_TRUE(Cbor::parse(from_hex("81818181818100"))) << "six deep";
  std::string many = from_hex("9903ff");
  EXPECT_TRUE(Cbor::parse(many + std::string(1023, '\0')));
  many = from_hex("990400");
  EXPECT_FALSE(Cbor::parse(many + std::string(1024, '\0'))) << "one value more than the limit";
}

TEST(Cbor, TheFrontOfLongerBytes) {
  std::size_t used = 0;
  const auto front = Cbor::parse_front(from_hex("a101020304"), used);
  ASSERT_TRUE(front);
  EXPECT_EQ(used, 3U);
  EXPECT_EQ(front->find(1)->integer(), 2);
}

}  // namespace
}  // namespace gatehouse::codec
