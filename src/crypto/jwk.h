#pragma once
// Keys of JSON Object Signing and Encryption that verify: from a JWK or a JWK Set (RFC 7517, RFC 7518 §6, RFC 8037).
// The keys that sign are in signing_key.h.
//
// Thread safety: keys and key sets are immutable once made, and may be used by all threads.
// Invariants: (1) a key verifies exactly one algorithm, chosen when it is loaded and never by a token: that closes the
// confusion of algorithms (RFC 8725 §2.1). (2) No symmetric algorithm and no `none` exists here. (3) RSA has at least
// 2048 bits and an exponent of at least 65537; points are on their curve.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace gatehouse::codec {
class Json;
}
struct evp_pkey_st;  // OpenSSL's EVP_PKEY; nobody outside this module looks inside

namespace gatehouse::crypto {

enum class JoseAlgorithm : std::uint8_t { es256, es384, eddsa, rs256, rs384, rs512, ps256, ps384, ps512 };
std::string_view name_of(JoseAlgorithm algorithm) noexcept;  // "ES256"
std::optional<JoseAlgorithm> parse_jose_algorithm(std::string_view name) noexcept;

class AlgorithmSet {
 public:
  constexpr AlgorithmSet() = default;
  static constexpr AlgorithmSet all() noexcept { return AlgorithmSet(0x1ff); }
  constexpr void add(JoseAlgorithm a) noexcept { bits_ = static_cast<std::uint16_t>(bits_ | 1U << index(a)); }
  constexpr bool has(JoseAlgorithm a) const noexcept { return (bits_ >> index(a) & 1U) != 0; }

 private:
  constexpr explicit AlgorithmSet(std::uint16_t bits) noexcept : bits_(bits) {}
  static constexpr unsigned index(JoseAlgorithm a) noexcept { return static_cast<unsigned>(a); }
  std::uint16_t bits_ = 0;
};

struct KeyRelease {
  void operator()(evp_pkey_st* key) const noexcept;
};
using KeyHandle = std::unique_ptr<evp_pkey_st, KeyRelease>;

enum class Signature : std::uint8_t { valid, invalid };

class VerificationKey {
 public:
  VerificationKey(KeyHandle key, std::string id, JoseAlgorithm algorithm) noexcept
      : key_(std::move(key)), id_(std::move(id)), algorithm_(algorithm) {}

  // One JWK by itself, a client's or a DPoP proof's. ErrorCode::invalid: it holds a secret, is not for signatures, of
  // an unknown or weak kind, or for an algorithm that `allowed` lacks.
  static Result<VerificationKey> parse(const codec::Json& jwk, AlgorithmSet allowed = AlgorithmSet::all());

  const std::string& id() const noexcept { return id_; }  // `kid`; may be empty
  JoseAlgorithm algorithm() const noexcept { return algorithm_; }
  // `signature` in JOSE's form: r and s at full length for ECDSA (RFC 7518 §3.4), never DER.
  Signature verify(std::string_view input, std::string_view signature) const noexcept;
  // The same with an ECDSA signature in DER, as WebAuthn and X.509 have it; for other keys the two forms are one.
  Signature verify_der(std::string_view input, std::string_view signature) const noexcept;
  // The bytes of modulus or point: equal for equal keys, whatever their `kid`.
  std::string public_bytes() const;
  std::string thumbprint() const;  // RFC 7638 with SHA-256, in base64url: `jkt`

 private:
  KeyHandle key_;
  std::string id_;
  JoseAlgorithm algorithm_;
};

class KeySet {
 public:
  static constexpr std::size_t kBytesMax = 256 * 1024;
  static constexpr std::size_t kKeysMax = 64;

  // Keys of unknown kinds, for encryption, or of algorithms that `allowed` lacks are skipped (RFC 7517 §5). The whole
  // document is refused when it isn't a JWK Set, holds a private or symmetric key, or two keys with one `kid`: an
  // issuer that publishes such a thing has lost control of it. A set without a usable key is refused too.
  static Result<KeySet> parse(std::string_view jwks, AlgorithmSet allowed = AlgorithmSet::all());

  // The key that a token with this `kid` names. Without `kid` (RFC 7515 §4.1.4 makes it optional) the set must leave no
  // choice.
  const VerificationKey* find(std::optional<std::string_view> id) const noexcept;
  std::size_t size() const noexcept { return keys_.size(); }
  const std::vector<std::string>& skipped() const noexcept { return skipped_; }  // why, for the operator
  // Does every key of `older` still stand here? If not, what was verified with it must be forgotten.
  bool keeps_all_of(const KeySet& older) const;

 private:
  std::vector<VerificationKey> keys_;
  std::vector<std::string> skipped_;
};

}  // namespace gatehouse::crypto
