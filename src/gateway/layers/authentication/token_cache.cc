#include "gateway/layers/authentication/token_cache.h"

#include "crypto/keyed_hash.h"

namespace gatehouse::gateway {

std::uint64_t TokenCache::hash_of(std::string_view token) noexcept {
  constexpr std::size_t kTail = 40;
  return crypto::keyed_hash(token.size() > kTail ? token.substr(token.size() - kTail) : token);
}

}  // namespace gatehouse::gateway
