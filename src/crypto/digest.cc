#include "crypto/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>

#include <span>

#include "base/check.h"
#include "crypto/openssl.h"
#include "crypto/sha1.h"

namespace gatehouse::crypto {
namespace {

using MacContextPtr = std::unique_ptr<EVP_MAC_CTX, OpensslFree<EVP_MAC_CTX_free>>;

MacContextPtr hmac_context(std::string digest_name) {
  MacContextPtr context(EVP_MAC_CTX_new(Algorithms::get().hmac));
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name.data(), 0),
                                   OSSL_PARAM_construct_end()};
  GH_CHECK(context && EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
  return context;
}

void hmac_into(EVP_MAC_CTX* context, std::string_view key, std::string_view bytes, std::span<std::uint8_t> digest) {
  // HMAC pads a short key with zeros, so an empty key and one zero byte are the same; OpenSSL wants a pointer.
  static constexpr unsigned char kNoKey[1] = {0};
  const auto* key_bytes = key.empty() ? kNoKey : reinterpret_cast<const unsigned char*>(key.data());
  std::size_t size = 0;
  GH_CHECK(EVP_MAC_init(context, key_bytes, key.empty() ? 1 : key.size(), nullptr) == 1 &&
           EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()) == 1 &&
           EVP_MAC_final(context, digest.data(), &size, digest.size()) == 1 && size == digest.size());
}

}  // namespace

Sha256 sha256(std::string_view bytes) noexcept {
  thread_local const DigestContextPtr context(EVP_MD_CTX_new());
  Sha256 digest;
  GH_CHECK(context && EVP_DigestInit_ex2(context.get(), Algorithms::get().sha256, nullptr) == 1 &&
           EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
           EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
  return digest;
}

std::string sha512(std::string_view bytes) {
  std::string digest(64, '\0');
  GH_CHECK(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), nullptr,
                      Algorithms::get().sha512, nullptr) == 1);
  return digest;
}

Sha256 hmac_sha256(std::string_view key, std::string_view bytes) noexcept {
  thread_local const MacContextPtr context = hmac_context("SHA2-256");
  Sha256 digest;
  hmac_into(context.get(), key, bytes, digest);
  return digest;
}

Sha1 hmac_sha1(std::string_view key, std::string_view bytes) noexcept {
  thread_local const MacContextPtr context = hmac_context("SHA1");
  Sha1 digest;
  hmac_into(context.get(), key, bytes, digest);
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
