#include "waf/seclang/files.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/file.h"
#include "crypto/digest.h"

namespace gatehouse::waf {

std::vector<std::string> Files::expand(const std::string& pattern) {
  if (pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  std::vector<std::string> paths;
  glob_t found{};
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<std::string> Files::read(const std::string& path) {
  if (files_ >= limits_.files_max) return fail(ErrorCode::exhausted, fmt::format("more than {} files", files_));
  ++files_;
  // A pipe would block and a device may never end.
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    return fail(ErrorCode::invalid, path + ": not a file");
  }
  auto text = read_file(path, limits_.file_bytes_max);
  if (!text) return text;
  if (const auto charged = charge(text->size()); !charged) return tl::unexpected(charged.error());
  note(path, *text);
  return text;
}

void Files::note(std::string_view name, std::string_view text) {
  digest_.append(name).append(1, '\0').append(crypto::as_text(crypto::sha256(text)));
  digest_ = crypto::as_text(crypto::sha256(digest_));
}

Status Files::charge(std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ <= limits_.total_bytes_max) return {};
  return fail(ErrorCode::exhausted,
              fmt::format("the rules and their lists are more than {} bytes", limits_.total_bytes_max));
}

Result<Files::Lines> Files::lines(const std::string& path) {
  if (const auto known = lists_.find(path); known != lists_.end()) {
    if (const auto charged = charge(known->second.bytes); !charged) return tl::unexpected(charged.error());
    return known->second.lines;
  }
  const auto text = read(path);
  if (!text) return tl::unexpected(text.error());
  auto lines = std::make_shared<std::vector<std::string>>();
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    std::string_view line = std::string_view(*text).substr(at, end - at);
    at = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    // White space at the ends of a phrase belongs to it, as in libmodsecurity: `Procedure or function `.
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos && line[first] != '#') lines->emplace_back(line);
  }
  lists_.emplace(path, List{lines, text->size()});
  return Lines(lines);
}

}  // namespace gatehouse::waf
