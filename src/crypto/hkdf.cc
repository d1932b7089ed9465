#include "crypto/hkdf.h"

#include <openssl/core_names.h>

#include "base/check.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {

SecretBytes hkdf_sha256(std::string_view key, std::string_view salt, std::string_view info, std::size_t bytes) {
  using Context = std::unique_ptr<EVP_KDF_CTX, OpensslFree<EVP_KDF_CTX_free>>;
  const Context context(EVP_KDF_CTX_new(Algorithms::get().hkdf));
  char digest[] = "SHA2-256";
  char nothing[1] = {0};  // OpenSSL wants a pointer for empty bytes too
  const auto octets = [&](const char* name, std::string_view value) {
    return OSSL_PARAM_construct_octet_string(name, value.empty() ? nothing : const_cast<char*>(value.data()),
                                             value.size());
  };
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                                   octets(OSSL_KDF_PARAM_KEY, key), octets(OSSL_KDF_PARAM_SALT, salt),
                                   octets(OSSL_KDF_PARAM_INFO, info), OSSL_PARAM_construct_end()};
  SecretBytes derived(bytes);
  GH_CHECK(context && bytes > 0 && bytes <= 255 * 32 &&
           EVP_KDF_derive(context.get(), derived.bytes().data(), bytes, parameters) == 1);
  return derived;
}

}  // namespace gatehouse::crypto
