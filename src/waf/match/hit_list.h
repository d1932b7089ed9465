#pragma once
// What the scans of one transaction found: pairs of a rule and a value, and which rules have any.
//
// Thread safety: one owner, a transaction. Invariant: after `seal`, hits are ascending by rule and item, each once.

#include <algorithm>
#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "waf/match/fields.h"

namespace gatehouse::waf {

class HitList {
 public:
  struct Hit {
    std::uint32_t rule;
    ItemId item;
    auto operator<=>(const Hit&) const = default;
  };

  // `slots`: see MatchPlan; a rule's place in the bits.
  void reset(std::size_t slots) {
    bits_.assign((slots + 63) / 64, 0);
    hits_.clear();
    sealed_ = 0;
  }
  void add(std::uint32_t rule, std::uint32_t slot, ItemId item) {
    bits_[slot >> 6] |= std::uint64_t{1} << (slot & 63);
    hits_.push_back({rule, item});
  }
  void seal() {  // after the last `add`
    if (sealed_ == hits_.size()) return;
    std::sort(hits_.begin(), hits_.end());
    hits_.erase(std::unique(hits_.begin(), hits_.end()), hits_.end());
    sealed_ = hits_.size();
  }

  std::uint64_t bits(std::size_t word) const noexcept { return bits_[word]; }
  bool has(std::uint32_t slot) const noexcept { return (bits_[slot >> 6] >> (slot & 63)) & 1; }
  std::size_t bytes() const noexcept {
    return bits_.capacity() * sizeof(std::uint64_t) + hits_.capacity() * sizeof(Hit);
  }
  // The hits of a rule in the values of one field, in their order.
  std::span<const Hit> of(std::uint32_t rule, Field field) const noexcept {
    const auto first = std::lower_bound(hits_.begin(), hits_.end(), Hit{rule, item_of(field, 0)});
    const auto last = std::lower_bound(first, hits_.end(), Hit{rule, item_of(field, UINT32_MAX)});
    return {first, last};
  }

 private:
  std::vector<std::uint64_t> bits_;
  std::vector<Hit> hits_;
  std::size_t sealed_ = 0;
};

}  // namespace gatehouse::waf
