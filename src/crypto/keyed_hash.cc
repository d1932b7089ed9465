#include "crypto/keyed_hash.h"

#include <sodium/crypto_shorthash_siphash24.h>

#include <array>
#include <cstring>

#include "crypto/random.h"

namespace gatehouse::crypto {

static_assert(std::tuple_size_v<HashKey> == crypto_shorthash_siphash24_KEYBYTES);

const HashKey& process_hash_key() noexcept {
  static const HashKey key = [] {
    HashKey drawn;
    random_bytes(drawn);
    return drawn;
  }();
  return key;
}

std::uint64_t keyed_hash(std::string_view bytes, const HashKey& key) noexcept {
  std::array<std::uint8_t, crypto_shorthash_siphash24_BYTES> out;
  crypto_shorthash_siphash24(out.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                             key.data());
  std::uint64_t hash;
  std::memcpy(&hash, out.data(), sizeof hash);
  return hash;
}

}  // namespace gatehouse::crypto
