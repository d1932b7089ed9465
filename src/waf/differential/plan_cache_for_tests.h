#pragma once
// Where tests keep what takes a minute to compile. Tests only.

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#ifndef GATEHOUSE_SOURCE_DIR
#define GATEHOUSE_SOURCE_DIR "."  // tests define it; this is for compiling the header alone
#endif

namespace gatehouse::waf {

// The plan of a whole rule set is kept beside the test's program, under a name that changes with the sources that make
// plans.
inline std::string plan_cache_file(std::string_view rule_set) {
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  std::vector<std::filesystem::path> sources;
  const std::filesystem::path waf = std::filesystem::path(GATEHOUSE_SOURCE_DIR) / "src/waf";
  for (const char* folder : {"match", "operator", "transform"}) {
    for (const auto& entry : std::filesystem::directory_iterator(waf / folder)) sources.push_back(entry.path());
  }
  std::sort(sources.begin(), sources.end());
  for (const auto& source : sources) {
    std::ifstream in(source, std::ios::binary);
    for (auto at = std::istreambuf_iterator<char>(in); at != std::istreambuf_iterator<char>(); ++at) {
      hash = (hash ^ static_cast<std::uint8_t>(*at)) * 1099511628211u;
    }
  }
  const auto folder = std::filesystem::read_symlink("/proc/self/exe").parent_path();
  return (folder / fmt::format("waf_test.{}.{:016x}.plan", rule_set, hash)).string();
}

}  // namespace gatehouse::waf
