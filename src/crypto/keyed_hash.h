#pragma once
// SipHash-2-4 (Aumasson and Bernstein, 2012), for tables whose keys a peer chooses. Without the key nobody can make two
// keys collide.
//
// Thread safety: any thread; the key of this process is drawn once.

#include <array>
#include <cstdint>
#include <string_view>

namespace gatehouse::crypto {

using HashKey = std::array<std::uint8_t, 16>;

const HashKey& process_hash_key() noexcept;
std::uint64_t keyed_hash(std::string_view bytes, const HashKey& key = process_hash_key()) noexcept;

}  // namespace gatehouse::crypto
