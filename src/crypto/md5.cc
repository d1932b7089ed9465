#include "crypto/md5.h"

#include <openssl/evp.h>

#include "base/check.h"

namespace gatehouse::crypto {

Md5 md5(std::string_view bytes) noexcept {
  Md5 digest;
  unsigned size = 0;
  GH_CHECK(EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_md5(), nullptr) == 1 &&
           size == digest.size());
  return digest;
}

}  // namespace gatehouse::crypto
