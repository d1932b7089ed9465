#pragma once
// HKDF-SHA-256 (RFC 5869): keys for named purposes from one key. Not for passwords: see password_hash.h.
//
// Thread safety: pure function.

#include <string_view>

#include "base/secret_bytes.h"

namespace gatehouse::crypto {

// At most 255 * 32 bytes. `salt` may be empty; `info` names the purpose: two purposes never share one.
SecretBytes hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info, std::size_t bytes);

}  // namespace gatehouse::crypto
