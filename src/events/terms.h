#pragma once
// What events are found by, without being readable: names with their values ("route" = "orders-read") and words, each a
// number under a secret key. Who has the store and not the key learns how many there are, not which.
//
// Words are runs of letters, digits and bytes of other scripts, ASCII letters in lower case; shorter than two bytes
// they are none, and after kWordBytesMax they are cut. Thread safety: immutable.

#include <cstdint>
#include <string_view>
#include <vector>

#include "crypto/keyed_hash.h"

namespace gatehouse::events {

using Term = std::uint64_t;

class Terms {
 public:
  static constexpr std::size_t kWordBytesMax = 64;

  explicit Terms(const crypto::HashKey& key) noexcept : key_(key) {}

  Term field(std::string_view name, std::string_view value) const;
  void add_words(std::string_view text, std::vector<Term>& terms) const;

 private:
  crypto::HashKey key_;
};

}  // namespace gatehouse::events
