#pragma once
// The certificate with which a model of authenticators attests to its credentials (Web Authentication Level 3 §8.2.1).
// It is held to its form, not to a root: nothing follows from it but that the statement is whole.
//
// Thread safety: pure function.

#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/jwk.h"

namespace gatehouse::crypto {

struct AttestationCertificate {
  VerificationKey key;
  std::string aaguid;  // 16 bytes; empty: it names no model
};

// ErrorCode::invalid: not one certificate in DER, not of version 3, of an authority, not called an authenticator's, or
// its key is not for `algorithm` (ES256, EdDSA or RS256).
Result<AttestationCertificate> read_attestation_certificate(std::string_view der, JoseAlgorithm algorithm);

}  // namespace gatehouse::crypto
