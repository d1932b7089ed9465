#pragma once
// Ownership and errors of OpenSSL, for this module's own .cc files. No other module includes this header.

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace gatehouse::crypto {

template <auto Free>
struct OpensslFree {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using BignumPtr = std::unique_ptr<BIGNUM, OpensslFree<BN_free>>;
using PkeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using PkeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, OpensslFree<EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;
using EcdsaSigPtr = std::unique_ptr<ECDSA_SIG, OpensslFree<ECDSA_SIG_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpensslFree<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpensslFree<SSL_free>>;

// Algorithms fetched once: OpenSSL 3.0 pays a lock and a lookup by name for each implicit fetch.
struct Algorithms {
  EVP_MD* sha1;
  EVP_MD* sha256;
  EVP_MD* sha384;
  EVP_MD* sha512;
  EVP_MAC* hmac;
  EVP_KDF* hkdf;
  EVP_CIPHER* aes256_cbc;
  EVP_CIPHER* aes256_gcm;
  static const Algorithms& get() noexcept;
};

// The newest entry of OpenSSL's error queue in words, behind `doing`; the queue is emptied.
tl::unexpected<Error> fail_openssl(std::string_view doing, ErrorCode code = ErrorCode::internal,
                                   ErrorSource source = ErrorSource::internal);
std::string openssl_reason(unsigned long code);

Result<X509Ptr> load_certificate(const std::string& pem_file);  // the first in the file
Result<PkeyPtr> load_private_key(const std::string& pem_file);
std::string to_pem(const X509& certificate);
std::string to_pem(const EVP_PKEY& private_key);  // PKCS #8, unencrypted
PkeyPtr generate_p256();

}  // namespace gatehouse::crypto
