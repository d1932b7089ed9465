#include "identity/pages/html.h"

#include <gtest/gtest.h>

#include <string>

namespace gatehouse::identity {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  escape_html(out, text);
  return out;
}

TEST(Escape, WhatWouldBeMarkupIsText) {
  struct Case {
    std::string_view name, in, out;
  };
  const Case cases[] = {
      {"plain", "Anna Müller", "Anna Müller"},
      {"element", "<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
      {"out of an attribute", "\" onfocus=\"x", "&quot; onfocus=&quot;x"},
      {"out of a single-quoted one", "' onfocus='x", "&#39; onfocus=&#39;x"},
      {"a reference stays what it was", "&lt;b&gt;", "&amp;lt;b&amp;gt;"},
      {"comment", "--><!--", "--&gt;&lt;!--"},
      {"line feed and tab stay", "a\nb\tc", "a\nb\tc"},
      {"other controls", std::string_view("a\0b\x1b\r\x7f", 6),
       "a\xEF\xBF\xBD"
       "b\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"C1 controls", "a\xC2\x85z", "a\xEF\xBF\xBDz"},
      {"no-break space stays", "a\xC2\xA0z", "a\xC2\xA0z"},
      {"overlong <", "\xC0\xBCscript", "\xEF\xBF\xBD\xEF\xBF\xBDscript"},
      {"cut sequence swallows no quote", "\xE2\"", "\xEF\xBF\xBD&quot;"},
      {"surrogate", "\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
      {"astral", "\xF0\x9F\x94\x91", "\xF0\x9F\x94\x91"},
  };
  for (const Case& test : cases) EXPECT_EQ(escaped(test.in), test.out) << test.name;
}

TEST(Html, OnlyLiteralsAreMarkup) {
  const std::string typed = "<b>";
  const std::string_view view = typed;
  const Html inner{"<i>", typed, "</i>"};
  EXPECT_EQ((Html{"<p title=\"", view, "\">", inner, "</p>"}).text(), "<p title=\"&lt;b&gt;\"><i>&lt;b&gt;</i></p>");
}

TEST(WebUrl, IsHttpsToAHostOrNothing) {
  for (const std::string_view good : {"https://app.example/terms?a=b#c", "https://app.example:8443/", "https://[::1]/"})
    EXPECT_EQ(web_url(good), good);
  for (const std::string_view bad :
       {"javascript:alert(1)", "http://app.example/", "HTTPS://app.example/", "https://", "https:///x",
        "https://user@app.example/", "https://app.example/ x", "https://app.example/\n", "//app.example/",
        "https://app.example\\@evil.example/", "data:text/html,x", ""})
    EXPECT_EQ(web_url(bad), "") << bad;
}

TEST(HostOf, IsTheHostWithoutPort) {
  EXPECT_EQ(host_of("https://app.example:8443/cb"), "app.example");
  EXPECT_EQ(host_of("http://[::1]:80/cb"), "[::1]");
  EXPECT_EQ(host_of("https://good.example@evil.example/"), "");
  EXPECT_EQ(host_of("https://evil.example#@good.example/"), "evil.example");
  EXPECT_EQ(host_of("com.example.app:/cb"), "");
}

}  // namespace
}  // namespace gatehouse::identity
