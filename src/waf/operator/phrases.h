#pragma once
// @pm and @pmFromFile: which of many phrases a value holds, letter case aside (ASCII).
//
// Values come here when a scan for all rules has hit them, so this one is made to be small and ready at once rather
// than to be the fastest: the phrases of the Core Rule Set are there in 2 ms and take 1 MB, where a Vectorscan database
// for each list took 125 ms of every start. Linear in the value.
//
// Thread safety: immutable and shared.
// Source: Aho and Corasick, "Efficient String Matching: An Aid to Bibliographic Search" (1975).

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "waf/operator/operator.h"

namespace gatehouse::waf {

struct PhraseMatch {
  std::size_t phrase = 0;  // its index
  Match match;
};

class PhraseSet {
 public:
  // Errors: an empty list, an empty phrase, and more than 4 GiB of them.
  static Result<PhraseSet> compile(std::span<const std::string> phrases);

  // The phrase that ends first; the longest, when several end there.
  std::optional<PhraseMatch> find(std::string_view value) const noexcept;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // What has been read is the path from the first node. A node's children stand side by side, their bytes ascending.
  struct Node {
    std::uint32_t children = 0;    // the first of them
    std::uint32_t otherwise = 0;   // the node of the longest end of the path that is a path itself
    std::uint32_t phrase = kNone;  // the longest that the path ends with
    std::uint16_t children_count = 0;
    std::uint8_t byte = 0;  // the last of the path
  };
  std::uint32_t child(const Node& node, std::uint8_t byte) const noexcept;
  void link();

  std::vector<Node> nodes_;
  std::array<std::uint32_t, 256> first_{};  // the first node's children, by byte; 0: none
  std::vector<std::uint32_t> sizes_;        // of the phrases
};

}  // namespace gatehouse::waf
