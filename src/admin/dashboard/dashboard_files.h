#pragma once
// The dashboard as it is in the binary: what ui/build.mjs made of ui/src, compressed with brotli. Empty where the
// program was built without Node.js's packages (scripts/setup brings them).
//
// Thread safety: constants.

#include <span>
#include <string_view>

namespace gatehouse::admin {

struct DashboardFile {
  std::string_view path;  // "/assets/app.js"; "/" is the page
  std::string_view content_type;
  std::string_view brotli;
  std::size_t bytes;     // uncompressed
  std::string_view tag;  // an entity tag without its quotes: it changes with the content
};

std::span<const DashboardFile> dashboard_files() noexcept;

}  // namespace gatehouse::admin
