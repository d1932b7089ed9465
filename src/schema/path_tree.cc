#include "schema/path_tree.h"

#include <algorithm>

namespace gatehouse::schema {

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  while (path.starts_with('/')) {
    path.remove_prefix(1);
    const std::string_view segment = path.substr(0, path.find('/'));
    segments.push_back(segment);
    path.remove_prefix(segment.size());
  }
  return segments;
}

Result<std::vector<std::string>> PathTree::add(std::string_view path_template, std::uint32_t item) {
  const auto wrong = [&](std::string_view why) {
    return fail(ErrorCode::invalid, fmt::format("the path \"{}\" {}", path_template.substr(0, 120), why));
  };
  if (!path_template.starts_with('/')) return wrong("does not begin with /");
  const std::vector<std::string_view> segments = split_path(path_template);
  if (segments.size() > kSegmentsMax) return wrong("has too many segments");
  std::vector<std::string> names;
  Node* node = &root_;
  for (const std::string_view segment : segments) {
    const std::size_t open = segment.find('{'), close = segment.find('}');
    if (open == std::string_view::npos && close == std::string_view::npos) {
      auto& next = node->literals[std::string(segment)];
      if (!next) next = std::make_unique<Node>();
      node = next.get();
      continue;
    }
    if (open == std::string_view::npos || close == std::string_view::npos || close < open + 2)
      return wrong("has braces without a name");
    const std::string_view before = segment.substr(0, open), after = segment.substr(close + 1);
    if (after.find_first_of("{}") != std::string_view::npos)
      return wrong("has two names in one segment, which is not supported");
    names.emplace_back(segment.substr(open + 1, close - open - 1));
    if (std::count(names.begin(), names.end(), names.back()) > 1) return wrong("has a name in braces twice");
    auto at = std::find_if(node->templates.begin(), node->templates.end(),
                           [&](const Template& t) { return t.before == before && t.after == after; });
    if (at == node->templates.end()) {
      at = std::find_if(node->templates.begin(), node->templates.end(), [&](const Template& t) {
        return t.before.size() + t.after.size() < before.size() + after.size();
      });
      at = node->templates.insert(at, Template{std::string(before), std::string(after), std::make_unique<Node>()});
    }
    node = at->node.get();
  }
  if (node->item) return wrong("matches the same paths as another one");
  node->item = item;
  return names;
}

std::optional<PathTree::Match> PathTree::find(const std::vector<std::string_view>& segments) const {
  if (segments.size() > kSegmentsMax) return std::nullopt;
  Match match{};
  if (!walk(root_, segments, 0, match)) return std::nullopt;
  return match;
}

bool PathTree::walk(const Node& node, const std::vector<std::string_view>& segments, std::size_t at, Match& match) {
  if (at == segments.size()) {
    if (node.item) match.item = *node.item;
    return node.item.has_value();
  }
  const std::string_view segment = segments[at];
  if (const auto literal = node.literals.find(segment); literal != node.literals.end()) {
    if (walk(*literal->second, segments, at + 1, match)) return true;
  }
  for (const Template& part : node.templates) {
    if (segment.size() <= part.before.size() + part.after.size() || !segment.starts_with(part.before) ||
        !segment.ends_with(part.after)) {
      continue;
    }
    match.values.push_back(segment.substr(part.before.size(), segment.size() - part.before.size() - part.after.size()));
    if (walk(*part.node, segments, at + 1, match)) return true;
    match.values.pop_back();
  }
  return false;
}

}  // namespace gatehouse::schema
