#include "crypto/sha1.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace gatehouse::crypto {

Sha1 sha1(std::string_view bytes) noexcept {
  Sha1 digest;
  unsigned size = 0;
  GH_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha1(), nullptr) == 1 &&
           size == digest.size());
  return digest;
}

}  // namespace gatehouse::crypto
