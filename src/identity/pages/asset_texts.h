#pragma once
// The files in src/identity/pages/assets, as the build put them into the binary (cmake/page_assets.cmake).

#include <string_view>

namespace gatehouse::identity {

extern const std::string_view kStyleCss, kPasskeysJs, kSubmitJs;

}  // namespace gatehouse::identity
