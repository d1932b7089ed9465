#include "identity/web.h"

#include <gmock/gmock.h>

namespace gatehouse::identity {
namespace {

using testing::Optional;

TEST(Cookie, IsFoundByItsWholeName) {
  EXPECT_THAT(cookie("a=1; __Host-x=tok; b=2", "__Host-x"), Optional(std::string_view("tok")));
  EXPECT_THAT(cookie("x=", "x"), Optional(std::string_view("")));
  EXPECT_EQ(cookie("xx=1", "x"), std::nullopt);
  EXPECT_EQ(cookie("x", "x"), std::nullopt);
  EXPECT_EQ(cookie("", "x"), std::nullopt);
}

TEST(Cookie, ThatComesTwiceIsNone) { EXPECT_EQ(cookie("x=1; x=1", "x"), std::nullopt); }

TEST(Cookie, IsWrittenForThisHostAlone) {
  EXPECT_EQ(host_cookie("gatehouse-sso", "v", std::nullopt),
            "__Host-gatehouse-sso=v; Path=/; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(expired_cookie("x"), "__Host-x=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0");
}

TEST(Redirect, IsASeeOtherThatNobodyKeeps) {
  const WebResponse response = redirect("https://app.example/cb?code=1");
  EXPECT_EQ(response.status, 303);
  EXPECT_THAT(response.fields, testing::Contains(testing::Pair("cache-control", "no-store")));
}

}  // namespace
}  // namespace gatehouse::identity
