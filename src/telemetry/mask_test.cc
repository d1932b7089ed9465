#include "telemetry/mask.h"

#include <gtest/gtest.h>

namespace gatehouse::telemetry {
namespace {

TEST(Masker, Names) {
  const Masker masker({"password", "authorization", "cookie", "card_number"});
  for (const char* name : {"password", "Password", "new_password", "X-Password", "authorization", "proxy-authorization",
                           "set-cookie", "cardNumber", "card-number"}) {
    EXPECT_TRUE(masker.masks(name)) << name;
  }
  for (const char* name : {"", "pass", "user", "card", "number", "accept"}) EXPECT_FALSE(masker.masks(name)) << name;
  EXPECT_FALSE(Masker({"", "-_"}).masks("anything")) << "an empty name would mask everything";
}

TEST(Masker, Queries) {
  const Masker masker({"password", "card_number"});
  const struct {
    const char *name, *in, *out;
  } cases[] = {
      {"empty", "", ""},
      {"nothing to hide", "a=1&b=2", "a=1&b=2"},
      {"one of three", "a=1&password=hunter2&b=2", "a=1&password=***&b=2"},
      {"escaped name", "a=1&p%61ssword=x", "a=1&p%61ssword=***"},
      {"no value", "password&a", "password&a"},
      {"empty pairs stay", "&&password=x&", "&&password=***&"},
      {"value with equals", "password=a=b", "password=***"},
      {"broken escape", "a%=1&%zz=2&%4", "a%=1&%zz=2&%4"},
      {"card in another field", "note=4111111111111111", "note=************1111"},
  };
  for (const auto& c : cases) {
    std::string out;
    masker.append_query(c.in, out);
    EXPECT_EQ(out, c.out) << c.name;
  }
}

TEST(CardNumbers, MaskedAndLeftAlone) {
  const struct {
    const char *name, *in, *out;
  } cases[] = {
      {"visa", "4111111111111111", "************1111"},
      {"amex, fifteen digits", "378282246310005", "***********0005"},
      {"thirteen digits", "4222222222222", "*********2222"},
      {"nineteen digits", "6304000000000000018", "***************0018"},
      {"groups with spaces", "pay 4111 1111 1111 1111 now", "pay **** **** **** 1111 now"},
      {"groups with dashes", "5500-0000-0000-0004", "****-****-****-0004"},
      {"wrong check digit", "4111111111111112", "4111111111111112"},
      {"too short", "411111111111", "411111111111"},
      {"two spaces part numbers", "4111  111111111111", "4111  111111111111"},
      {"behind other digits", "99 4111111111111111", "99 ************1111"},
      {"two cards in a row", "4111111111111111 4111111111111111", "************1111 ************1111"},
      {"in JSON", R"({"n":"5500000000000004"})", R"({"n":"************0004"})"},
      {"a time in nanoseconds is a number, not a card", "1750000000000000001", "1750000000000000001"},
  };
  for (const auto& c : cases) {
    std::string out;
    append_cards_masked(c.in, out);
    EXPECT_EQ(out, c.out) << c.name;
  }
}

TEST(CardNumbers, LongRunsAreLinear) {
  std::string out;
  append_cards_masked(std::string(1 << 20, '7'), out);
  EXPECT_EQ(out.size(), std::size_t{1} << 20);
}

}  // namespace
}  // namespace gatehouse::telemetry
