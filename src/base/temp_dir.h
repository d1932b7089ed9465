#pragma once
// A folder for one test: made where temporary files go, for us alone, and gone with this object, whatever is in it by
// then. Its path has no symbolic links.

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "base/check.h"

namespace gatehouse {

class TempDir {
 public:
  TempDir() : path_((canonical(std::filesystem::temp_directory_path()) / "gatehouse-XXXXXX").string()) {
    GH_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const noexcept { return path_; }
  std::string operator/(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

}  // namespace gatehouse
