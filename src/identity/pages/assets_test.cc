#include "identity/pages/assets.h"

#include <gmock/gmock.h>

#include "base/file.h"
#include "base/temp_dir.h"

namespace gatehouse::identity {
namespace {

using testing::Contains;
using testing::Pair;

std::optional<WebResponse> get(const Assets& assets, std::string_view path, std::string_view query = {}) {
  WebRequest request;
  request.method = "GET";
  request.path = path;
  request.query = query;
  return assets.serve(request);
}

TEST(Assets, AreSmall) {
  const auto assets = Assets::load({}, "");
  ASSERT_TRUE(assets);
  EXPECT_LT(get(*assets, "/assets/style.css")->body.size(), 12'000U);
  EXPECT_LT(get(*assets, "/assets/passkeys.js")->body.size() + get(*assets, "/assets/submit.js")->body.size(), 6'000U);
}

TEST(Assets, AreKeptOnlyUnderTheirOwnVersion) {
  const auto assets = Assets::load({}, "/login");
  ASSERT_TRUE(assets);
  const std::string url(assets->url("style.css"));
  ASSERT_TRUE(url.starts_with("/login/assets/style.css?v=")) << url;
  const auto exact = get(*assets, "/assets/style.css", std::string_view(url).substr(url.find('?') + 1));
  EXPECT_THAT(exact->fields, Contains(Pair("cache-control", "public, max-age=31536000, immutable")));
  EXPECT_THAT(get(*assets, "/assets/style.css", "v=0")->fields, Contains(Pair("cache-control", "no-cache")));
  EXPECT_EQ(get(*assets, "/assets/../style.css"), std::nullopt);
  EXPECT_EQ(get(*assets, "/assets/"), std::nullopt);
  EXPECT_EQ(get(*assets, "/style.css"), std::nullopt);
}

TEST(Assets, AThemeIsReadAtTheStart) {
  const TempDir folder;
  const std::string logo = folder.path() + "/logo.svg", css = folder.path() + "/shop.css";
  ASSERT_TRUE(write_file_atomically(logo, "<svg xmlns=\"http://www.w3.org/2000/svg\"/>"));
  ASSERT_TRUE(write_file_atomically(css, ":root { --accent: #705; }"));
  const auto assets = Assets::load({"Shop", logo, css}, "");
  ASSERT_TRUE(assets);
  EXPECT_TRUE(assets->logo().starts_with("/assets/logo.svg?v="));
  const auto served = get(*assets, "/assets/logo.svg");
  EXPECT_THAT(served->fields, Contains(Pair("content-type", "image/svg+xml")));
  EXPECT_THAT(served->fields, Contains(Pair("content-security-policy", testing::HasSubstr("sandbox"))));
  EXPECT_EQ(get(*assets, "/assets/theme.css")->body, ":root { --accent: #705; }");
}

TEST(Assets, AThemeThatCannotBeUsedIsAnError) {
  const TempDir folder;
  const std::string script = folder.path() + "/logo.html", large = folder.path() + "/logo.png";
  ASSERT_TRUE(write_file_atomically(script, "<script>"));
  ASSERT_TRUE(write_file_atomically(large, std::string(Assets::kLogoBytesMax + 1, 'x')));
  EXPECT_FALSE(Assets::load({"", script, ""}, ""));
  EXPECT_FALSE(Assets::load({"", large, ""}, ""));
  EXPECT_FALSE(Assets::load({"", folder.path() + "/none.png", ""}, ""));
  EXPECT_FALSE(Assets::load({"", "", folder.path() + "/none.css"}, ""));
}

}  // namespace
}  // namespace gatehouse::identity
