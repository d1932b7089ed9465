#pragma once
// Builds the key of a shared table from parts of a request: SipHash over a small buffer on the stack, under a key drawn
// at start or agreed among gateways that share their counts (SharedState::names), so that nobody outside can choose who
// shares a place.

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/ip.h"
#include "crypto/keyed_hash.h"

namespace gatehouse::gateway {

// What one customer can change at will must not make many keys: of an IPv6 address the /64 counts.
IpAddress counted_address(const IpAddress& address) noexcept;

class TableKey {
 public:
  explicit TableKey(const crypto::HashKey& key = crypto::process_hash_key()) noexcept : key_(key) {}
  // Each part goes in with its length, so that ("ab", "c") and ("a", "bc") differ.
  TableKey& add(std::string_view part) noexcept;
  TableKey& add(std::uint64_t number) noexcept;
  TableKey& add(const IpAddress& address) noexcept;  // as `counted_address`
  std::uint64_t hash() const noexcept;               // never 0

 private:
  void append(const void* bytes, std::size_t size) noexcept;

  const crypto::HashKey& key_;
  std::array<char, 256> buffer_;
  std::size_t used_ = 0;
};

}  // namespace gatehouse::gateway
