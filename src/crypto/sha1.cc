#include "crypto/sha1.h"

#include "base/check.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {

Sha1 sha1(std::string_view bytes) noexcept {
  thread_local const DigestContextPtr context(EVP_MD_CTX_new());
  Sha1 digest;
  GH_CHECK(context && EVP_DigestInit_ex2(context.get(), Algorithms::get().sha1, nullptr) == 1 &&
           EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

}  // namespace gatehouse::crypto
