#include "crypto/openssl.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "base/file.h"

namespace gatehouse::crypto {
namespace {
constexpr std::size_t kPemBytesMax = 1024 * 1024;

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

// A key that asks for a passphrase must fail, not stop a daemon at a terminal prompt.
int no_passphrase(char*, int, int, void*) { return -1; }
}  // namespace

const Algorithms& Algorithms::get() noexcept {
  // Never freed: threads may still use them while the process ends.
  static const Algorithms algorithms = [] {
    Algorithms a{EVP_MD_fetch(nullptr, "SHA1", nullptr),
                 EVP_MD_fetch(nullptr, "SHA2-256", nullptr),
                 EVP_MD_fetch(nullptr, "SHA2-384", nullptr),
                 EVP_MD_fetch(nullptr, "SHA2-512", nullptr),
                 EVP_MAC_fetch(nullptr, "HMAC", nullptr),
                 EVP_KDF_fetch(nullptr, "HKDF", nullptr),
                 EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr),
                 EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)};
    GH_CHECK(a.sha1 && a.sha256 && a.sha384 && a.sha512 && a.hmac && a.hkdf && a.aes256_cbc && a.aes256_gcm);
    return a;
  }();
  return algorithms;
}

std::string openssl_reason(unsigned long code) {
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : fmt::format("error {:#x}", code);
}

tl::unexpected<Error> fail_openssl(std::string_view doing, ErrorCode code, ErrorSource source) {
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  return fail(code, fmt::format("{}: {}", doing, last ? openssl_reason(last) : "no reason given"), source);
}

Result<X509Ptr> load_certificate(const std::string& pem_file) {
  auto text = read_file(pem_file, kPemBytesMax);
  if (!text) return tl::unexpected(std::move(text.error()));
  const BioPtr bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  X509Ptr certificate(PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr));
  if (!certificate) {
    ERR_clear_error();
    return fail(ErrorCode::invalid, pem_file + ": holds no PEM certificate", ErrorSource::configuration);
  }
  return certificate;
}

Result<PkeyPtr> load_private_key(const std::string& pem_file) {
  auto text = read_file(pem_file, kPemBytesMax);
  if (!text) return tl::unexpected(std::move(text.error()));
  const BioPtr bio(BIO_new_mem_buf(text->data(), static_cast<int>(text->size())));
  PkeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  explicit_bzero(text->data(), text->size());
  if (!key) {
    ERR_clear_error();
    return fail(ErrorCode::invalid, pem_file + ": holds no unencrypted PEM private key", ErrorSource::configuration);
  }
  return key;
}

std::string to_pem(const X509& certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  GH_CHECK(bio && PEM_write_bio_X509(bio.get(), &certificate) == 1);
  return drain(bio.get());
}

std::string to_pem(const EVP_PKEY& private_key) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  GH_CHECK(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), &private_key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  return drain(bio.get());
}

PkeyPtr generate_p256() {
  PkeyPtr key(EVP_EC_gen("P-256"));
  GH_CHECK(key);
  return key;
}

}  // namespace gatehouse::crypto
