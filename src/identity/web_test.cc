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

TEST(Cookie, OfThisHostIsFoundByTheNameThatItWasWrittenWith) {
  WebRequest request;
  request.cookie = "x=1; __Host-x=2; y=3";
  EXPECT_THAT(host_cookie_of(request, "x"), Optional(std::string_view("2")));
  EXPECT_EQ(host_cookie_of(request, "y"), std::nullopt);
  EXPECT_EQ(host_cookie_of(request, std::string(200, 'x')), std::nullopt);
}

TEST(OurPage, IsWhatTheBrowserSaysItIs) {
  struct Case {
    std::string_view site, origin;
    bool ours;
  };
  constexpr Case kCases[] = {
      {"same-origin", "", true},
      {"same-origin", "null", true},
      {"cross-site", "", false},
      {"same-site", "https://a.example", false},
      {"cross-site", "null", false},
      {"none", "", false},
      {"", "", true},
      {"", "null", true},
      {"", "https://a.example", true},
      {"", "https://a.example:8443", false},
      {"", "http://a.example", false},
      {"", "https://evil.example", false},
      {"", "https://a.example.evil", false},
  };
  for (const Case& c : kCases) {
    WebRequest request;
    request.sec_fetch_site = c.site;
    request.origin = c.origin;
    EXPECT_EQ(is_from_our_page(request, "https://a.example/login"), c.ours) << c.site << " " << c.origin;
  }
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
