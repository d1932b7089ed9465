#pragma once
// The keys that sign tokens of our own: ES256 (the default), RS256 for clients that know nothing else, EdDSA.
//
// Thread safety: a key is immutable once made, and may sign in all threads at once.
// Invariant: a key signs by one algorithm (RFC 8725 §2.1); its id is its thumbprint, so two keys never share one.

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret_bytes.h"
#include "crypto/jwk.h"

namespace gatehouse::crypto {

class SigningKey {
 public:
  static SigningKey generate();  // ES256
  // `rsa_bits`, 2048 or 3072, is looked at for RS256 only; such a key takes a second at worst. invalid: an algorithm
  // that nothing is signed with here.
  static Result<SigningKey> generate(JoseAlgorithm algorithm, unsigned rsa_bits = 2048);
  // ES256: reads the PEM file, or makes one with mode 0600.
  static Result<SigningKey> load_or_create(const std::string& pem_file);

  // PKCS #8 in DER (RFC 5958), unencrypted: to be sealed before it is stored.
  static Result<SigningKey> from_pkcs8(const SecretBytes& der, JoseAlgorithm algorithm);
  SecretBytes pkcs8() const;

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  const std::string& id() const noexcept { return id_; }  // the JWK thumbprint (RFC 7638)
  JoseAlgorithm algorithm() const noexcept { return algorithm_; }

  // The compact form (RFC 7515 §7.1) over a JSON object: header {"alg","kid","typ"}. About 25 µs by ES256.
  std::string sign(std::string_view claims_json) const { return sign(claims_json, "JWT"); }
  // With a `typ` of its own ("at+jwt", "logout+jwt"), and `more` members of the header as JSON text without braces.
  std::string sign(std::string_view claims_json, std::string_view type, std::string_view more = {}) const;
  // The signature alone, in JOSE's form, not encoded.
  std::string signature_of(std::string_view input) const;

  std::string public_jwk() const;
  std::string public_jwks() const;  // a JWK Set of this key alone

 private:
  struct Prepared;
  SigningKey(KeyHandle key, JoseAlgorithm algorithm);

  JoseAlgorithm algorithm_;
  KeyHandle key_;
  std::unique_ptr<const Prepared> prepared_;
  std::string id_;
  std::string jwk_;
};

}  // namespace gatehouse::crypto
