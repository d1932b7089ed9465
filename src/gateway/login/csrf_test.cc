#include "gateway/login/csrf.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace gatehouse::gateway {
namespace {

struct Case {
  const char* name;
  std::string_view method;
  std::vector<std::pair<std::string_view, std::string_view>> fields;
  CsrfVerdict verdict;
  bool same_site = false;
  bool tunnel = false;
};

TEST(Csrf, WhoMaySend) {
  using V = CsrfVerdict;
  const Case cases[] = {
      {"reading", "GET", {}, V::pass},
      {"reading from another site", "GET", {{"sec-fetch-site", "cross-site"}}, V::pass},
      {"an unknown method is unsafe", "FETCH", {}, V::unproven},
      {"lower case is another method", "get", {}, V::unproven},
      {"a page's own form", "POST", {{"sec-fetch-site", "same-origin"}}, V::pass},
      {"typed by the user", "POST", {{"sec-fetch-site", "none"}}, V::pass},
      {"a sibling host", "POST", {{"sec-fetch-site", "same-site"}}, V::cross_site},
      {"a sibling host that may", "POST", {{"sec-fetch-site", "same-site"}}, V::pass, true},
      {"another site where siblings may", "DELETE", {{"sec-fetch-site", "cross-site"}}, V::cross_site, true},
      {"another site that claims our origin",
       "POST",
       {{"sec-fetch-site", "cross-site"}, {"origin", "https://shop.example"}},
       V::cross_site},
      {"a value that nobody knows", "POST", {{"sec-fetch-site", "Same-Origin"}}, V::cross_site},
      {"empty", "POST", {{"sec-fetch-site", ""}}, V::cross_site},
      {"said twice", "POST", {{"sec-fetch-site", "same-origin"}, {"sec-fetch-site", "same-origin"}}, V::cross_site},
      {"origin", "PUT", {{"origin", "https://shop.example"}}, V::pass},
      {"origin null", "PUT", {{"origin", "null"}}, V::other_origin},
      {"origin empty", "PUT", {{"origin", ""}}, V::other_origin},
      {"origin of plain http", "PUT", {{"origin", "http://shop.example"}}, V::other_origin},
      {"origin with a port", "PUT", {{"origin", "https://shop.example:8443"}}, V::other_origin},
      {"origin that ours begins", "PUT", {{"origin", "https://shop.example.evil"}}, V::other_origin},
      {"origin that ours ends", "PUT", {{"origin", "https://evil-shop.example"}}, V::other_origin},
      {"origin of the same length", "PUT", {{"origin", "https://evil.example"}}, V::other_origin},
      {"a bad origin is not made good by a referer",
       "PUT",
       {{"origin", "https://evil.example"}, {"referer", "https://shop.example/x"}},
       V::other_origin},
      {"referer", "POST", {{"referer", "https://shop.example/cart?x=1"}}, V::pass},
      {"referer without a path", "POST", {{"referer", "https://shop.example"}}, V::pass},
      {"referer with our name behind a user", "POST", {{"referer", "https://shop.example@evil/x"}}, V::other_origin},
      {"referer with our name in its path",
       "POST",
       {{"referer", "https://evil/https://shop.example"}},
       V::other_origin},
      {"referer that is no URL", "POST", {{"referer", "about:blank"}}, V::other_origin},
      {"nothing", "POST", {}, V::unproven},
      {"websocket", "GET", {{"origin", "https://shop.example"}}, V::pass, false, true},
      {"websocket of another page", "GET", {{"origin", "https://evil.example"}}, V::other_origin, false, true},
      {"websocket by metadata alone", "GET", {{"sec-fetch-site", "same-origin"}}, V::unproven, false, true},
      {"websocket of a sibling", "GET", {{"origin", "https://a.shop.example"}}, V::other_origin, true, true},
  };
  for (const Case& c : cases) {
    http::CanonicalRequest request;
    request.method = c.method;
    request.scheme = "https";
    request.authority = "shop.example";
    for (const auto& [name, value] : c.fields) request.fields.add(name, value);
    EXPECT_EQ(judge_csrf(request, c.tunnel, {c.same_site}), c.verdict) << c.name;
  }
}

TEST(Csrf, APortIsPartOfTheOrigin) {
  http::CanonicalRequest request;
  request.method = "POST";
  request.scheme = "http";
  request.authority = "127.0.0.1:8080";
  request.fields.add("origin", "http://127.0.0.1:8080");
  EXPECT_EQ(judge_csrf(request, false, {}), CsrfVerdict::pass);
  request.authority = "127.0.0.1";
  EXPECT_EQ(judge_csrf(request, false, {}), CsrfVerdict::other_origin);
}

}  // namespace
}  // namespace gatehouse::gateway
