#include "identity/pages/assets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/file.h"
#include "crypto/digest.h"
#include "identity/pages/asset_texts.h"

namespace gatehouse::identity {
namespace {

constexpr std::string_view kPrefix = "/assets/";

std::string_view image_type(std::string_view path) noexcept {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTypes{{{".svg", "image/svg+xml"},
                                                                                 {".png", "image/png"},
                                                                                 {".webp", "image/webp"},
                                                                                 {".jpg", "image/jpeg"},
                                                                                 {".jpeg", "image/jpeg"}}};
  const auto* found = std::ranges::find_if(kTypes, [&](const auto& type) { return path.ends_with(type.first); });
  return found == kTypes.end() ? std::string_view{} : found->second;
}

}  // namespace

void Assets::add(std::string_view base, std::string name, std::string_view type, std::string body) {
  std::string version = crypto::to_hex(crypto::as_text(crypto::sha256(body)).substr(0, 8));
  std::string url = fmt::format("{}{}{}?v={}", base, kPrefix, name, version);
  assets_.push_back({std::move(name), std::string(type), std::move(body), std::move(version), std::move(url)});
}

Result<Assets> Assets::load(const ThemeOptions& theme, std::string_view base) {
  Assets assets;
  assets.add(base, "style.css", "text/css; charset=utf-8", std::string(kStyleCss));
  assets.add(base, "passkeys.js", "text/javascript; charset=utf-8", std::string(kPasskeysJs));
  assets.add(base, "submit.js", "text/javascript; charset=utf-8", std::string(kSubmitJs));
  if (!theme.logo.empty()) {
    const std::string_view type = image_type(theme.logo);
    if (type.empty())
      return fail(ErrorCode::invalid, theme.logo + ": the logo must be .svg, .png, .webp or .jpg",
                  ErrorSource::configuration);
    auto file = read_file(theme.logo, kLogoBytesMax);
    if (!file) return tl::unexpected(std::move(file.error()).while_("identity.theme.logo"));
    assets.add(base, "logo" + theme.logo.substr(theme.logo.rfind('.')), type, std::move(*file));
    assets.logo_ = assets.assets_.back().url;
  }
  if (!theme.css.empty()) {
    auto file = read_file(theme.css, kCssBytesMax);
    if (!file) return tl::unexpected(std::move(file.error()).while_("identity.theme.css"));
    assets.add(base, "theme.css", "text/css; charset=utf-8", std::move(*file));
    assets.theme_css_ = assets.assets_.back().url;
  }
  return assets;
}

std::string_view Assets::url(std::string_view name) const noexcept {
  const auto found = std::ranges::find(assets_, name, &Asset::name);
  return found == assets_.end() ? std::string_view{} : std::string_view(found->url);
}

std::optional<WebResponse> Assets::serve(const WebRequest& request) const {
  if (!request.path.starts_with(kPrefix)) return std::nullopt;
  const auto found = std::ranges::find(assets_, request.path.substr(kPrefix.size()), &Asset::name);
  if (found == assets_.end()) return std::nullopt;
  if (!request.reads()) return method_not_allowed("GET, HEAD");
  WebResponse response;
  response.body = found->body;
  response.add("content-type", found->type);
  // Another version under this name may come with the next release: only who asks for this very one may keep it.
  const bool exact = request.query == "v=" + found->version;
  response.add("cache-control", exact ? "public, max-age=31536000, immutable" : "no-cache");
  response.add("x-content-type-options", "nosniff");
  response.add("cross-origin-resource-policy", "same-origin");
  // A logo in SVG that is opened as a page of its own is a document of our origin: it must not run anything.
  response.add("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox");
  return response;
}

}  // namespace gatehouse::identity
