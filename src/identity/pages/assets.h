#pragma once
// What pages load beside their HTML: our style and scripts, compiled in, and the operator's logo and style, read at the
// start. All of it is served by us under /assets/, so that the CSP can say 'self' and nothing else.
//
// Thread safety: immutable once loaded; any thread.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "identity/web.h"

namespace gatehouse::identity {

// `identity.theme` of the configuration.
struct ThemeOptions {
  std::string name;  // shown above the forms; empty: the issuer's host
  std::string logo;  // a file: .svg, .png, .webp or .jpg; empty: none
  std::string css;   // a file that is loaded after our style, to set its variables; empty: none
};

class Assets {
 public:
  static constexpr std::size_t kLogoBytesMax = 256 * 1024;
  static constexpr std::size_t kCssBytesMax = 64 * 1024;

  // `base`: the issuer's path, "" or "/login".
  static Result<Assets> load(const ThemeOptions& theme, std::string_view base);

  // nullopt: not a path of ours.
  std::optional<WebResponse> serve(const WebRequest& request) const;

  // With the content's hash in it: a browser may keep it for as long as it likes. Empty: there is no such asset.
  std::string_view url(std::string_view name) const noexcept;
  std::string_view logo() const noexcept { return logo_; }            // its URL; empty: none
  std::string_view theme_css() const noexcept { return theme_css_; }  // likewise

 private:
  struct Asset {
    std::string name, type, body, version, url;
  };
  void add(std::string_view base, std::string name, std::string_view type, std::string body);

  std::vector<Asset> assets_;
  std::string logo_, theme_css_;
};

}  // namespace gatehouse::identity
