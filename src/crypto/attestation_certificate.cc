#include "crypto/attestation_certificate.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <array>

#include "base/check.h"
#include "crypto/openssl.h"

namespace gatehouse::crypto {
namespace {

using BasicConstraintsPtr = std::unique_ptr<BASIC_CONSTRAINTS, OpensslFree<BASIC_CONSTRAINTS_free>>;
using ObjectPtr = std::unique_ptr<ASN1_OBJECT, OpensslFree<ASN1_OBJECT_free>>;

constexpr std::size_t kAaguidBytes = 16;

std::string_view text_of(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<std::size_t>(ASN1_STRING_length(string))};
}

bool is_of_authenticator(const X509& certificate) {
  const X509_NAME* subject = X509_get_subject_name(&certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_organizationalUnitName, -1);
  return at >= 0 && text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))) == "Authenticator Attestation";
}

bool is_of_authority(const X509& certificate) {
  const BasicConstraintsPtr constraints(
      static_cast<BASIC_CONSTRAINTS*>(X509_get_ext_d2i(&certificate, NID_basic_constraints, nullptr, nullptr)));
  return !constraints || constraints->ca != 0;  // the extension is prescribed, and must say that it is none
}

// id-fido-gen-ce-aaguid: an OCTET STRING inside of the extension's own. False when it is malformed.
bool read_aaguid(const X509& certificate, std::string& aaguid) {
  const ObjectPtr id(OBJ_txt2obj("1.3.6.1.4.1.45724.1.1.4", 1));
  GH_CHECK(id);
  const int at = X509_get_ext_by_OBJ(&certificate, id.get(), -1);
  if (at < 0) return true;
  if (X509_get_ext_by_OBJ(&certificate, id.get(), at) >= 0) return false;
  X509_EXTENSION* extension = X509_get_ext(&certificate, at);
  const std::string_view value = text_of(X509_EXTENSION_get_data(extension));
  if (X509_EXTENSION_get_critical(extension) != 0 || value.size() != kAaguidBytes + 2 ||
      value.substr(0, 2) != "\x04\x10") {
    return false;
  }
  aaguid = value.substr(2);
  return true;
}

bool fits(const EVP_PKEY& key, JoseAlgorithm algorithm) {
  constexpr int kRsaBitsMin = 2048, kRsaBitsMax = 8192;
  switch (algorithm) {
    case JoseAlgorithm::es256: {
      std::array<char, 32> curve{};
      std::size_t size = 0;
      return EVP_PKEY_is_a(&key, "EC") == 1 && EVP_PKEY_get_group_name(&key, curve.data(), curve.size(), &size) == 1 &&
             std::string_view(curve.data(), size) == SN_X9_62_prime256v1;
    }
    case JoseAlgorithm::eddsa: return EVP_PKEY_is_a(&key, "ED25519") == 1;
    case JoseAlgorithm::rs256:
      return EVP_PKEY_is_a(&key, "RSA") == 1 && EVP_PKEY_get_bits(&key) >= kRsaBitsMin &&
             EVP_PKEY_get_bits(&key) <= kRsaBitsMax;
    default: return false;
  }
}

}  // namespace

Result<AttestationCertificate> read_attestation_certificate(std::string_view der, JoseAlgorithm algorithm) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  const X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  ERR_clear_error();
  if (!certificate || at != end) return fail(ErrorCode::invalid, "it is not one certificate");
  if (X509_get_version(certificate.get()) != X509_VERSION_3) return fail(ErrorCode::invalid, "it is not of version 3");
  if (is_of_authority(*certificate)) return fail(ErrorCode::invalid, "it may be an authority's");
  if (!is_of_authenticator(*certificate)) return fail(ErrorCode::invalid, "it is not called an authenticator's");
  std::string aaguid;
  if (!read_aaguid(*certificate, aaguid)) return fail(ErrorCode::invalid, "its AAGUID is malformed");
  KeyHandle key(X509_get_pubkey(certificate.get()));
  ERR_clear_error();
  if (!key || !fits(*key, algorithm)) return fail(ErrorCode::invalid, "its key is of another algorithm");
  return AttestationCertificate{VerificationKey(std::move(key), {}, algorithm), std::move(aaguid)};
}

}  // namespace gatehouse::crypto
