#pragma once
// The two patterns a route is found by: of the host and of the path.
//
// Values; parsed when a configuration is loaded or checked.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::gateway {

inline constexpr std::size_t kPathSegmentsMax = 64;  // of a pattern; paths may have any number

// "/a/b" exact, "/a/*" and "/a/{id}" one segment, "/a/**" `/a` and everything below it. Wildcards stand for whole
// segments. Literals are held in canonical form (http/canonical.h), so "/caf%c3%a9" and "/café" are the same pattern.
struct PathPattern {
  struct Segment {
    enum class Kind : std::uint8_t { literal, any } kind = Kind::literal;
    std::string text;  // of a literal
    bool operator==(const Segment&) const = default;
  };
  std::vector<Segment> segments;
  bool rest = false;  // ends in "/**"

  static Result<PathPattern> parse(std::string_view text);
  // Whether it holds for a canonical path, as the router compares them: without path parameters and trailing slash.
  bool matches(std::string_view path) const noexcept;
  // One spelling for all patterns that match the same paths: "/a/{id}/" is "/a/*".
  std::string to_string() const;
  bool operator==(const PathPattern&) const = default;
};

// The next segment's name from `at` on, without parameters; empty at the end. A segment that is nothing but parameters
// is skipped, as servers do that know them, and so is the trailing slash.
std::string_view next_segment(std::string_view path, std::size_t& at) noexcept;

// "shop.example", "*.shop.example" (one label or more in front; not shop.example itself), "*" or nothing: any.
struct HostPattern {
  enum class Kind : std::uint8_t { any, wildcard, exact } kind = Kind::any;
  std::string name;  // canonical; of a wildcard what follows "*."

  static Result<HostPattern> parse(std::string_view text);
  std::string to_string() const;
  bool operator==(const HostPattern&) const = default;
};

}  // namespace gatehouse::gateway
