#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include "base/check.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {

Sha256 sha256(std::string_view bytes) noexcept {
  thread_local const DigestContextPtr context(EVP_MD_CTX_new());
  Sha256 digest;
  GH_CHECK(context && EVP_DigestInit_ex2(context.get(), Algorithms::get().sha256, nullptr) == 1 &&
           EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept {
  using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, OpensslFree<EVP_MAC_CTX_free>>;
  thread_local const MacContextPtr context([] {
    EVP_MAC_CTX* created = EVP_MAC_CTX_new(Algorithms::get().hmac);
    char digest_name[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
                                     OSSL_PARAM_construct_end()};
    GH_CHECK(created && EVP_MAC_CTX_set_params(created, parameters) == 1);
    return created;
  }());
  // HMAC pads a short key with zeros, so an empty key and one zero byte are the same; OpenSSL wants a pointer.
  static constexpr unsigned char kNoKey[1] = {0};
  const auto* key_bytes = key.empty() ? kNoKey : reinterpret_cast<const unsigned char*>(key.data());
  Sha256 digest;
  std::size_t size = 0;
  GH_CHECK(EVP_MAC_init(context.get(), key_bytes, key.empty() ? 1 : key.size(), nullptr) == 1 &&
           EVP_MAC_update(context.get(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
           EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1 && size == digest.size());
  return digest;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<std::uint8_t>(c);
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace gatehouse::crypto
