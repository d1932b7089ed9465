#include "codec/form.h"

#include <gmock/gmock.h>

namespace gatehouse::codec {
namespace {

using testing::ElementsAre;
using testing::Optional;

TEST(Form, ReadsWhatAClientWrites) {
  const auto form = Form::parse("grant_type=authorization_code&code=a%2Bb+c&empty=&flag&resource=a&resource=b");
  ASSERT_TRUE(form);
  EXPECT_THAT(form->get("grant_type"), Optional(std::string_view("authorization_code")));
  EXPECT_THAT(form->get("code"), Optional(std::string_view("a+b c")));
  EXPECT_THAT(form->get("empty"), Optional(std::string_view("")));
  EXPECT_THAT(form->get("flag"), Optional(std::string_view("")));
  EXPECT_EQ(form->get("resource"), std::nullopt);
  EXPECT_THAT(form->all("resource"), ElementsAre("a", "b"));
  EXPECT_THAT(form->repeated(), Optional(std::string_view("resource")));
  EXPECT_EQ(form->repeated({"resource"}), std::nullopt);
}

TEST(Form, RefusesWhatHasTwoReadings) {
  for (const char* text :
       {"a=%", "a=%4", "a=%zz", "%=a", "a=%00", "a=%01", "a=%7f", "a=%c0%80", "a=%ff", "a=%ed%a0%80"}) {
    EXPECT_FALSE(Form::parse(text)) << text;
  }
}

TEST(Form, BoundsTheParameters) {
  std::string text;
  for (std::size_t i = 0; i < Form::kParametersMax; ++i) text += "a=b&";
  EXPECT_TRUE(Form::parse(text));
  EXPECT_FALSE(Form::parse(text + "a=b"));
}

TEST(FormWriter, WritesWhatFormReads) {
  const std::string nasty = "a&b=c d+e%f\xc3\xa9/?#\r\n";
  const std::string text = FormWriter().add("x y", nasty).add("z", "").text();
  const auto form = Form::parse(text);
  ASSERT_TRUE(form);
  EXPECT_THAT(form->get("x y"), Optional(std::string_view(nasty)));
  EXPECT_EQ(text.find_first_of(" \r\n+"), std::string::npos);
}

}  // namespace
}  // namespace gatehouse::codec
