#pragma once
// A public key's JWK, from the key itself: for this module's own .cc files.

#include <string>

#include "crypto/openssl.h"

namespace gatehouse::crypto {

// The required members alone, in lexicographic order and without white space: what a thumbprint is over (RFC 7638 §3).
// Made from the key's numbers, so that one key has one form however its JWK was written. P-256, P-384, Ed25519, RSA.
std::string canonical_jwk(const EVP_PKEY& key);
std::string jwk_thumbprint(const EVP_PKEY& key);

// Bytes of a number, at least `size` of them (RFC 7518 §2, Base64urlUInt, when 0); of a point or a raw key.
std::string number_octets(const EVP_PKEY& key, const char* parameter, std::size_t size);
std::string octets(const EVP_PKEY& key, const char* parameter);

// ECDSA's r ‖ s at full length (RFC 7518 §3.4) and DER. Empty when the length is not exactly theirs.
std::string ecdsa_der(std::string_view raw, std::size_t number_bytes);
std::string ecdsa_raw(const unsigned char* der, std::size_t size, int number_bytes);

}  // namespace gatehouse::crypto
