#pragma once
// What the store has of a random token: SHA-256, which nobody turns back (256 random bits go in).

#include <string>
#include <string_view>

#include "crypto/digest.h"
#include "store/database.h"

namespace gatehouse::identity {

inline store::Bytes token_hash(std::string_view token) { return {std::string(crypto::as_text(crypto::sha256(token)))}; }

// 43 characters of base64url: what crypto::random_token makes. Anything else need not be looked for.
inline bool may_be_token(std::string_view text) noexcept {
  if (text.size() != 43) return false;
  for (const char c : text) {
    const bool good =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!good) return false;
  }
  return true;
}

}  // namespace gatehouse::identity
