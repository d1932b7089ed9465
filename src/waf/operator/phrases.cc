#include "waf/operator/phrases.h"

#include <algorithm>
#include <numeric>

#include "waf/names.h"

namespace gatehouse::waf {

Result<PhraseSet> PhraseSet::compile(std::span<const std::string> phrases) {
  if (phrases.empty()) return fail(ErrorCode::invalid, "no phrases");
  PhraseSet set;
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (const std::string& phrase : phrases) {
    if (phrase.empty()) return fail(ErrorCode::invalid, "an empty phrase");
    bytes += phrase.size();
    if (bytes >= kNone) return fail(ErrorCode::invalid, "more than 4 GiB of phrases");
    texts.push_back(lower(phrase));
    set.sizes_.push_back(static_cast<std::uint32_t>(phrase.size()));
  }
  std::vector<std::uint32_t> order(phrases.size());
  std::iota(order.begin(), order.end(), 0);
  const auto comes_before = [&](std::uint32_t a, std::uint32_t b) { return texts[a] < texts[b]; };
  std::stable_sort(order.begin(), order.end(), comes_before);

  // In sorted order a node is a range: the phrases that begin with its path. Each is `depth` bytes behind the first.
  struct Range {
    std::size_t begin, end;
    std::uint32_t depth;
  };
  std::vector<Range> ranges{{0, order.size(), 0}};
  set.nodes_.emplace_back();
  for (std::uint32_t at = 0; at < set.nodes_.size(); ++at) {
    auto [begin, end, depth] = ranges[at];
    set.nodes_[at].children = static_cast<std::uint32_t>(set.nodes_.size());
    for (; begin < end && texts[order[begin]].size() == depth; ++begin) {
      if (set.nodes_[at].phrase == kNone) set.nodes_[at].phrase = order[begin];
    }
    while (begin < end) {
      const char byte = texts[order[begin]][depth];
      const std::size_t first = begin;
      while (begin < end && texts[order[begin]][depth] == byte) ++begin;
      ++set.nodes_[at].children_count;
      set.nodes_.push_back({.byte = static_cast<std::uint8_t>(byte)});
      ranges.push_back({first, begin, depth + 1});
    }
  }
  set.link();
  return set;
}

// Nodes stand in the order of their depth, so that the ends of a path, which are shorter, are linked before it.
void PhraseSet::link() {
  for (std::uint32_t i = 0; i < nodes_[0].children_count; ++i) {
    const std::uint32_t at = nodes_[0].children + i;
    first_[nodes_[at].byte] = at;
  }
  for (std::uint32_t at = 0; at < nodes_.size(); ++at) {
    for (std::uint32_t i = 0; i < nodes_[at].children_count; ++i) {
      Node& node = nodes_[nodes_[at].children + i];
      if (at != 0) {
        std::uint32_t end = nodes_[at].otherwise;
        while (end != 0 && child(nodes_[end], node.byte) == 0) end = nodes_[end].otherwise;
        node.otherwise = end == 0 ? first_[node.byte] : child(nodes_[end], node.byte);
      }
      if (node.phrase == kNone) node.phrase = nodes_[node.otherwise].phrase;
    }
  }
  nodes_.shrink_to_fit();
}

// 0: none.
std::uint32_t PhraseSet::child(const Node& node, std::uint8_t byte) const noexcept {
  const Node* const begin = nodes_.data() + node.children;
  const Node* const end = begin + node.children_count;
  const Node* const found = std::find_if(begin, end, [byte](const Node& each) { return each.byte >= byte; });
  return found != end && found->byte == byte ? static_cast<std::uint32_t>(found - nodes_.data()) : 0;
}

std::optional<PhraseMatch> PhraseSet::find(std::string_view value) const noexcept {
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<std::uint8_t>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
    std::uint32_t next = 0;
    while (at != 0 && (next = child(nodes_[at], byte)) == 0) at = nodes_[at].otherwise;
    at = at == 0 ? first_[byte] : next;
    if (const std::uint32_t phrase = nodes_[at].phrase; phrase != kNone)
      return PhraseMatch{phrase, {i + 1 - sizes_[phrase], sizes_[phrase]}};
  }
  return std::nullopt;
}

}  // namespace gatehouse::waf
