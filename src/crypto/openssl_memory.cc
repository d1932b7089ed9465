#include "crypto/openssl_memory.h"

#include <openssl/crypto.h>

#include <cstdlib>

#include "base/block_pool.h"

namespace gatehouse::crypto {

bool use_block_pool() noexcept {
  return CRYPTO_set_mem_functions(
             [](std::size_t bytes, const char*, int) { return block_pool::allocate(bytes); },
             [](void* block, std::size_t bytes, const char*, int) { return std::realloc(block, bytes); },
             [](void* block, const char*, int) { block_pool::release(block); }) == 1;
}

}  // namespace gatehouse::crypto
