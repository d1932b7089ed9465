#pragma once
// SipHash-2-4 with a key of this process (Aumasson and Bernstein, 2012): for tables whose keys a peer chooses. Without
// the key nobody can make two keys collide.
//
// Thread safety: any thread; the key is drawn once.

#include <cstdint>
#include <string_view>

namespace gatehouse::crypto {

std::uint64_t keyed_hash(std::string_view bytes) noexcept;

}  // namespace gatehouse::crypto
