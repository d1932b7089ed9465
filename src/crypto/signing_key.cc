#include "crypto/signing_key.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

#include <array>

#include "base/check.h"
#include "base/file.h"
#include "codec/base64.h"
#include "crypto/digest.h"
#include "crypto/jwk_form.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {
namespace {

using Pkcs8Ptr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, OpensslFree<PKCS8_PRIV_KEY_INFO_free>>;
constexpr std::size_t kSignatureBytesMax = 512;  // RSA with 4096 bits

bool is_p256(const EVP_PKEY& key) {
  char group[32] = "";
  std::size_t size = 0;
  const bool named = EVP_PKEY_get_group_name(&key, group, sizeof group, &size) == 1;
  ERR_clear_error();
  return named && (std::string_view(group, size) == "prime256v1" || std::string_view(group, size) == "P-256");
}

bool fits(const EVP_PKEY& key, JoseAlgorithm algorithm) {
  switch (algorithm) {
    case JoseAlgorithm::es256: return is_p256(key);
    case JoseAlgorithm::eddsa: return EVP_PKEY_is_a(&key, "ED25519") == 1;
    case JoseAlgorithm::rs256:
      return EVP_PKEY_is_a(&key, "RSA") == 1 && EVP_PKEY_get_bits(&key) >= 2048 && EVP_PKEY_get_bits(&key) <= 4096;
    default: return false;
  }
}

}  // namespace

// A context with the key's implementation fetched and its parameters set, which each signature copies: fetching it anew
// took a tenth of a signature's time. (Ed25519 has no form that takes a digest, and takes the long way.)
struct SigningKey::Prepared {
  Prepared(EVP_PKEY* key, JoseAlgorithm algorithm) {
    if (algorithm == JoseAlgorithm::eddsa) return;
    context.reset(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    GH_CHECK(context && EVP_PKEY_sign_init(context.get()) == 1 &&
             EVP_PKEY_CTX_set_signature_md(context.get(), Algorithms::get().sha256) == 1);
    if (algorithm == JoseAlgorithm::rs256) {
      GH_CHECK(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1);
    }
  }
  PkeyContextPtr context;
};

SigningKey::SigningKey(KeyHandle key, JoseAlgorithm algorithm)
    : algorithm_(algorithm),
      key_(std::move(key)),
      prepared_(std::make_unique<Prepared>(key_.get(), algorithm)),
      id_(jwk_thumbprint(*key_)),
      jwk_(fmt::format(R"({{"alg":"{}","kid":"{}","use":"sig",{})", name_of(algorithm), id_,
                       canonical_jwk(*key_).substr(1))) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

SigningKey SigningKey::generate() { return {KeyHandle(generate_p256().release()), JoseAlgorithm::es256}; }

Result<SigningKey> SigningKey::generate(JoseAlgorithm algorithm, unsigned rsa_bits) {
  switch (algorithm) {
    case JoseAlgorithm::es256: return generate();
    case JoseAlgorithm::eddsa: {
      KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
      GH_CHECK(key);
      return SigningKey(std::move(key), algorithm);
    }
    case JoseAlgorithm::rs256: {
      if (rsa_bits != 2048 && rsa_bits != 3072)
        return fail(ErrorCode::invalid, "an RSA key has 2048 or 3072 bits here");
      KeyHandle key(EVP_RSA_gen(rsa_bits));
      GH_CHECK(key);
      return SigningKey(std::move(key), algorithm);
    }
    default: return fail(ErrorCode::invalid, fmt::format("nothing is signed with {} here", name_of(algorithm)));
  }
}

Result<SigningKey> SigningKey::load_or_create(const std::string& pem_file) {
  auto existing = load_private_key(pem_file);
  if (existing) {
    if (!is_p256(**existing)) {
      return fail(ErrorCode::invalid, pem_file + ": is not a P-256 key", ErrorSource::configuration);
    }
    return SigningKey(KeyHandle(existing->release()), JoseAlgorithm::es256);
  }
  // A key that is there and cannot be read is not replaced: services know it.
  if (existing.error().code != ErrorCode::not_found) return tl::unexpected(std::move(existing.error()));
  PkeyPtr key = generate_p256();
  if (Status wrote = write_file_atomically(pem_file, to_pem(*key), 0600); !wrote) {
    return tl::unexpected(std::move(wrote.error()));
  }
  return SigningKey(KeyHandle(key.release()), JoseAlgorithm::es256);
}

Result<SigningKey> SigningKey::from_pkcs8(const SecretBytes& der, JoseAlgorithm algorithm) {
  const auto* at = der.bytes().data();
  const auto* end = at + der.size();
  const Pkcs8Ptr info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())));
  KeyHandle key(info && at == end ? EVP_PKCS82PKEY(info.get()) : nullptr);
  ERR_clear_error();
  if (!key || !fits(*key, algorithm)) {
    return fail(ErrorCode::invalid, fmt::format("a stored key is no {} key in PKCS #8", name_of(algorithm)));
  }
  return SigningKey(std::move(key), algorithm);
}

SecretBytes SigningKey::pkcs8() const {
  const Pkcs8Ptr info(EVP_PKEY2PKCS8(key_.get()));
  GH_CHECK(info);
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  GH_CHECK(size > 0);
  SecretBytes der(static_cast<std::size_t>(size));
  unsigned char* at = der.bytes().data();
  GH_CHECK(i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at) == size);
  return der;
}

std::string SigningKey::sign(std::string_view claims_json, std::string_view type, std::string_view more) const {
  const std::string header = fmt::format(R"({{"alg":"{}","kid":"{}","typ":"{}"{}{}}})", name_of(algorithm_), id_, type,
                                         more.empty() ? "" : ",", more);
  std::string token = codec::base64url_encode(header);
  token += '.';
  token += codec::base64url_encode(claims_json);
  const std::string signature = codec::base64url_encode(signature_of(token));
  token += '.';
  token += signature;
  return token;
}

std::string SigningKey::signature_of(std::string_view input) const {
  std::array<unsigned char, kSignatureBytesMax> bytes;
  std::size_t size = bytes.size();
  const auto text = [&] { return std::string(reinterpret_cast<const char*>(bytes.data()), size); };
  if (algorithm_ == JoseAlgorithm::eddsa) {
    const DigestContextPtr context(EVP_MD_CTX_new());
    GH_CHECK(context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
             EVP_DigestSign(context.get(), bytes.data(), &size, reinterpret_cast<const unsigned char*>(input.data()),
                            input.size()) == 1);
    return text();
  }
  const PkeyContextPtr context(EVP_PKEY_CTX_dup(prepared_->context.get()));
  const Sha256 digest = sha256(input);
  GH_CHECK(context && EVP_PKEY_sign(context.get(), bytes.data(), &size, digest.data(), digest.size()) == 1);
  return algorithm_ == JoseAlgorithm::es256 ? ecdsa_raw(bytes.data(), size, 32) : text();
}

std::string SigningKey::public_jwk() const { return jwk_; }

std::string SigningKey::public_jwks() const { return fmt::format(R"({{"keys":[{}]}})", jwk_); }

}  // namespace gatehouse::crypto
