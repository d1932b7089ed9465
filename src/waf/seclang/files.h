#pragma once
// The files that rules are made from: rule files by pattern, and the lists that operators name. Bounds on each file, on
// their number and on the sum of their sizes.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/seclang/source.h"

namespace gatehouse::waf {

class Files {
 public:
  explicit Files(const ParseLimits& limits) noexcept : limits_(limits) {}

  // The paths that a pattern of the shell means, by name in byte order, whatever the locale. A path without pattern
  // characters is itself, whether it exists or not.
  static std::vector<std::string> expand(const std::string& pattern);

  Result<std::string> read(const std::string& path);
  // Counts a text that was not read from a file into the digest.
  void note(std::string_view name, std::string_view text);
  // Of every name and byte so far, in their order.
  const std::string& digest() const noexcept { return digest_; }

  // The lines of a list, without the empty ones and those that begin with `#`. Lists are read once, and count as often
  // as they are named: each rule has its own copy.
  using Lines = std::shared_ptr<const std::vector<std::string>>;
  Result<Lines> lines(const std::string& path);

 private:
  struct List {
    Lines lines;
    std::size_t bytes = 0;
  };
  Status charge(std::size_t bytes);

  ParseLimits limits_;
  std::size_t files_ = 0, bytes_ = 0;
  std::string digest_;
  std::map<std::string, List> lists_;
};

}  // namespace gatehouse::waf
