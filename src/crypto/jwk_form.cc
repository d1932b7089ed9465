#include "crypto/jwk_form.h"

#include <openssl/core_names.h>
#include <openssl/err.h>

#include <algorithm>

#include "base/check.h"
#include "codec/base64.h"
#include "crypto/digest.h"

namespace gatehouse::crypto {

using codec::base64url_encode;

std::string octets(const EVP_PKEY& key, const char* parameter) {
  std::size_t size = 0;
  if (EVP_PKEY_get_octet_string_param(&key, parameter, nullptr, 0, &size) != 1) return {};
  std::string bytes(size, '\0');
  GH_CHECK(EVP_PKEY_get_octet_string_param(&key, parameter, reinterpret_cast<unsigned char*>(bytes.data()), size,
                                           &size) == 1);
  bytes.resize(size);
  return bytes;
}

std::string number_octets(const EVP_PKEY& key, const char* parameter, std::size_t size) {
  BIGNUM* number = nullptr;
  GH_CHECK(EVP_PKEY_get_bn_param(&key, parameter, &number) == 1);
  const BignumPtr owned(number);
  std::string bytes(std::max<std::size_t>(size, static_cast<std::size_t>(BN_num_bytes(number))), '\0');
  GH_CHECK(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size())) > 0);
  return bytes;
}

std::string canonical_jwk(const EVP_PKEY& key) {
  if (EVP_PKEY_is_a(&key, "RSA") == 1) {
    return fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})",
                       base64url_encode(number_octets(key, OSSL_PKEY_PARAM_RSA_E, 0)),
                       base64url_encode(number_octets(key, OSSL_PKEY_PARAM_RSA_N, 0)));
  }
  if (EVP_PKEY_is_a(&key, "ED25519") == 1) {
    return fmt::format(R"({{"crv":"Ed25519","kty":"OKP","x":"{}"}})",
                       base64url_encode(octets(key, OSSL_PKEY_PARAM_PUB_KEY)));
  }
  GH_CHECK(EVP_PKEY_is_a(&key, "EC") == 1);
  const bool p256 = EVP_PKEY_get_bits(&key) == 256;
  const std::size_t size = p256 ? 32 : 48;
  return fmt::format(R"({{"crv":"{}","kty":"EC","x":"{}","y":"{}"}})", p256 ? "P-256" : "P-384",
                     base64url_encode(number_octets(key, OSSL_PKEY_PARAM_EC_PUB_X, size)),
                     base64url_encode(number_octets(key, OSSL_PKEY_PARAM_EC_PUB_Y, size)));
}

std::string jwk_thumbprint(const EVP_PKEY& key) { return base64url_encode(as_text(sha256(canonical_jwk(key)))); }

std::string ecdsa_der(std::string_view raw, std::size_t number_bytes) {
  if (raw.size() != 2 * number_bytes) return {};
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  const EcdsaSigPtr signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes, static_cast<int>(number_bytes), nullptr);
  BIGNUM* s = BN_bin2bn(bytes + number_bytes, static_cast<int>(number_bytes), nullptr);
  GH_CHECK(signature && r && s && ECDSA_SIG_set0(signature.get(), r, s) == 1);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  GH_CHECK(size > 0);
  std::string text(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text;
}

std::string ecdsa_raw(const unsigned char* der, std::size_t size, int number_bytes) {
  const EcdsaSigPtr signature(d2i_ECDSA_SIG(nullptr, &der, static_cast<long>(size)));
  std::string raw(2 * static_cast<std::size_t>(number_bytes), '\0');
  auto* into = reinterpret_cast<unsigned char*>(raw.data());
  GH_CHECK(signature && BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), into, number_bytes) == number_bytes &&
           BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), into + number_bytes, number_bytes) == number_bytes);
  return raw;
}

}  // namespace gatehouse::crypto
