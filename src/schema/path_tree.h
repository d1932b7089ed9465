#pragma once
// Paths with templates, `/users/{id}/orders`, as a tree of segments. Concrete before templated, segment by segment
// (OpenAPI 3.0.3 "Path Templating Matching").
//
// Thread safety: immutable once filled. A match looks at each node of the tree at most once, so that no path costs more
// than there are templates.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::schema {

class PathTree {
 public:
  static constexpr std::size_t kSegmentsMax = 32;  // of a template

  // The names in braces, in order; the error says what is wrong with the template. `item` is what `find` gives.
  Result<std::vector<std::string>> add(std::string_view path_template, std::uint32_t item);

  struct Match {
    std::uint32_t item;
    std::vector<std::string_view> values;  // of the names in braces
  };
  // `segments` are decoded; "/a/" has an empty one at its end. A name in braces stands for one byte or more.
  std::optional<Match> find(const std::vector<std::string_view>& segments) const;

 private:
  struct Node;
  struct Template {  // "report-{id}.pdf"
    std::string before, after;
    std::unique_ptr<Node> node;
  };
  struct Node {
    std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
    std::vector<Template> templates;  // the longest text around the name first
    std::optional<std::uint32_t> item;
  };
  static bool walk(const Node& node, const std::vector<std::string_view>& segments, std::size_t at, Match& match);

  Node root_;
};

// "/a/b" as "a" and "b"; empty for "" and one empty segment for "/".
std::vector<std::string_view> split_path(std::string_view path);

}  // namespace gatehouse::schema
