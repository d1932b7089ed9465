#pragma once
// The most specific network an address is in, among many (longest prefix match).
//
// Nested networks are flattened at build time into disjoint ranges; a lookup is a binary search in them, for IPv4
// inside the few that begin in the address's own /16. Agrees with `Network::contains`: `::/0` holds IPv4 addresses too.
// Immutable once built; read from any thread.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/ip.h"

namespace gatehouse::gateway {

class NetworkMap {
 public:
  struct Entry {
    Network network;
    std::uint32_t value = 0;  // below 2^32 - 1
  };

  NetworkMap() = default;
  // Of two equal networks the first counts.
  explicit NetworkMap(std::span<const Entry> entries);
  explicit NetworkMap(std::span<const Network> networks);  // value: the index

  std::optional<std::uint32_t> find(const IpAddress& address) const noexcept;
  bool contains(const IpAddress& address) const noexcept { return !empty() && find(address).has_value(); }
  bool empty() const noexcept { return ranges_.empty(); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffff;
  static constexpr std::size_t kIndexed = 256;  // ranges from which the /16 index (256 KiB) is worth its memory
  struct Range4 {
    std::uint32_t first;
    std::uint32_t value;
  };
  struct Range {
    unsigned __int128 first;
    std::uint32_t value;
  };

  void build(std::vector<Entry> entries);
  void build_v4();

  std::vector<Range> ranges_;          // the whole 128-bit space, the first range beginning at zero
  std::vector<Range4> ranges4_;        // its IPv4 part, the first range beginning at zero
  std::vector<std::uint32_t> index4_;  // 65,537 places in ranges4_: the last range beginning at or before x.y.0.0
};

}  // namespace gatehouse::gateway
